"""The problems: strangers to greet."""

import random
from dataclasses import dataclass
from typing import ClassVar

from guerdon import Example, Message, Prompt, Reward
from guerdon.protocols import Split, Task

NAMES = ("Ada", "Alan", "Barbara", "Claude", "Edsger", "Emmy", "Grace", "John", "Katherine", "Leslie", "Mary", "Tony")


class Stranger(Example):
    """Somebody to greet."""

    name: str


@dataclass(frozen=True)
class Strangers(Task):
    """Greet somebody by name. A quarter of the names is held out for evaluation."""

    name: ClassVar[str] = "hello/strangers-v1"

    seed: int = 0
    """Decides which names are held out, and the order."""

    def examples(self, split: Split) -> tuple[Stranger, ...]:
        """Nine strangers to learn from (`train`), three others to be judged on (`eval`)."""
        names = random.Random(self.seed).sample(NAMES, len(NAMES))
        chosen = names[3:] if split == "train" else names[:3]
        return tuple(Stranger(id=name.lower(), name=name) for name in chosen)

    def prompt(self, example: Example) -> Prompt:
        """One user message."""
        assert isinstance(example, Stranger)
        return Prompt((Message("user", f"Greet {example.name}."),))

    def reference(self, example: Example) -> str:
        """A greeting that earns the top."""
        assert isinstance(example, Stranger)
        return f"Hello, {example.name}!"

    def metrics(self) -> dict[str, Reward]:
        """What evaluation reports; never trained on."""
        from guerdon_hello.rewards import Greets  # it reads our examples, so it imports us

        return {"greets": Greets()}
