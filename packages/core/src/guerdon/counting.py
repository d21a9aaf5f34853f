"""Numbers of things, as a sentence has them."""


def counting(number: int, one: str, many: str = "") -> str:
    """A number and what it counts; nouns take an s where `many` does not say what becomes of several.

    >>> counting(1, "attack"), counting(1200, "attack")
    ('1 attack', '1,200 attacks')
    >>> counting(1, "vertex was left out", "vertices were left out")
    '1 vertex was left out'
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
