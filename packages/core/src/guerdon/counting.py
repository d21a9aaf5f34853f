"""Numbers of things, as a sentence has them."""


def counting(number: int, noun: str) -> str:
    """A number and what it counts; nouns take an s.

    >>> counting(1, "attack"), counting(1200, "attack")
    ('1 attack', '1,200 attacks')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
