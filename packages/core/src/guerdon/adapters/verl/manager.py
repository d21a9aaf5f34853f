"""guerdon's reward manager in verl: names are checked when the run starts, and groups are scored whole.

verl shows a manager one finished rollout at a time, on whichever of its reward workers. A reward that looks at one
rollout is scored there and then; one that compares attempts waits for the siblings (`guerdon.adapters.verl.siblings`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

from guerdon.adapters.verl.options import read_options
from guerdon.adapters.verl.scoring import Scorer, sample_row, scorer
from guerdon.adapters.verl.siblings import Told, meeting_place
from guerdon.errors import ConfigError, UnscoredError
from guerdon.types import Score

NAME = "guerdon"
"""`reward.reward_manager.name`."""
_SPLITS = ("train", "eval", "val", "validation", "test")
"""What `extra_info.split` may be where a reward compares attempts: the first is for training, all others are not."""


@cache
def manager_class() -> type[Any]:
    """The class, a subclass of verl's `RewardManagerBase`."""
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

    class GuerdonRewardManager(RewardManagerBase):  # type: ignore[misc, unused-ignore]
        """Scores by a recipe, or a task and a reward, named in `reward.reward_kwargs`."""

        def __init__(
            self,
            config: Any,
            tokenizer: Any,
            compute_score: Any,
            reward_router_address: str | None = None,
            reward_model_tokenizer: Any = None,
        ) -> None:
            super().__init__(config, tokenizer, compute_score)
            self.scoring = Managing(config, tokenizer)

        async def run_single(self, data: Any) -> dict[str, Any]:
            """One trajectory's reward; of several outputs the last one counts."""
            item = data[-1:][0]
            told = await self.scoring.told(item.batch, item.non_tensor_batch)
            return {"reward_score": told["score"], "reward_extra_info": told}

    return GuerdonRewardManager


class Managing:
    """What the manager does, apart from verl's classes.

    Args:
        config: verl's whole configuration.
        tokenizer: the policy's.
    """

    def __init__(self, config: Any, tokenizer: Any) -> None:
        self._config, self._tokenizer = config, tokenizer
        self._scorer: Scorer = scorer(read_options(_plain(config.reward.get("reward_kwargs")), "reward.reward_kwargs"))
        self._compares = self._scorer.grader.reward.sees == "group"
        if self._compares and not config.trainer.get("use_v1", True):
            raise ConfigError(
                f"{self._scorer.grader.reward.name} compares the attempts at a prompt; verl says which belong together "
                f"only with trainer.use_v1=True"
            )
        self._total_steps = _total_steps(config)
        self._place: Any = None

    async def told(self, batch: Any, fields: Mapping[str, Any]) -> dict[str, float | str]:
        """What verl is told of one rollout (`Scorer.answer`).

        Args:
            batch: tensors `responses` (R,), `attention_mask` (P + R,), and perhaps `response_mask` (R,).
            fields: the row's columns, with `uid`, `session_id` and `global_steps` from the trainer.

        Raises:
            UnscoredError: there is no number, and none was named.
            ConfigError: the row cannot be scored as it is.
        """
        info = dict(fields.get("extra_info") or {})
        turned = {**info, "num_turns": fields.get("__num_turns__")}
        completion, stop = self._written(batch)
        options = self._scorer.options
        truth = (fields.get("reward_model") or {}).get("ground_truth")
        source = str(fields.get("data_source", ""))
        if options.recipe is None and options.task is None:
            turned = info  # all that is in it is the example's, and siblings' are equal
        row = sample_row(options, completion, turned, data_source=source, ground_truth=truth, stop=stop)
        if not self._compares:
            [score] = await self._scores([row], fields)
        else:
            score = await self._among_siblings({**row, "group": str(fields["uid"])}, info, fields)
        return self._scorer.answer(score)

    async def _scores(self, rows: list[Any], fields: Mapping[str, Any]) -> list[Score]:
        asked = self._scorer.ask(rows, step=fields.get("global_steps"), total_steps=self._total_steps)
        return await asyncio.wrap_future(asked)

    async def _among_siblings(self, row: Any, info: Mapping[str, Any], fields: Mapping[str, Any]) -> Score:
        of = self._attempts(info)
        key, session = str(fields["uid"]), int(fields["session_id"])
        said: Told = await self._join(key, session, of, row)
        if said.kind == "done":
            assert said.score is not None
            return said.score
        if said.kind == "lost":
            raise UnscoredError(f"attempt {session} of group {key} is unscored: {said.why}")
        try:
            found = await self._scores(list(said.rows.values()), fields)
            scores = dict(zip(said.rows, found, strict=True))
        except BaseException as error:
            self._place.settle.remote(key, {}, f"its group could not be scored: {type(error).__name__}: {error}")
            raise
        await self._place.settle.remote(key, scores)
        return scores[session]

    def _attempts(self, info: Mapping[str, Any]) -> int:
        """How many attempts at the row's prompt there are. verl tells a reward nothing of whether it is validating.

        Raises:
            ConfigError: that depends on it, and the row does not say which split it is of.
        """
        rollout = self._config.actor_rollout_ref.rollout
        training, validating = int(rollout.n), int(rollout.val_kwargs.n)
        split = info.get("split")
        if training != validating and split not in _SPLITS:
            raise ConfigError(
                f"extra_info.split is {split!r}; one of {', '.join(map(repr, _SPLITS))} is needed: there are "
                f"{training} attempts at a prompt in training and {validating} in validation, verl does not say which "
                f"of them this is, and {self._scorer.grader.reward.name} compares them. Write both data sets with "
                f"`guerdon export --format verl`, or set rollout.val_kwargs.n={training}."
            )
        return training if split == "train" else validating

    async def _join(self, key: str, session: int, of: int, row: Any) -> Told:
        from ray.exceptions import RayActorError

        options = self._scorer.options
        for last in (False, True):
            if self._place is None:
                self._place = meeting_place(options.siblings_s, options.deadline_s)
            try:
                said: Told = await self._place.join.remote(key, session, of, row)
            except RayActorError:  # it went down with the worker that made it; those that waited drop their groups
                self._place = None
                if last:
                    raise
            else:
                return said
        raise AssertionError("unreachable")

    def _written(self, batch: Any) -> tuple[Any, str]:
        """What the policy wrote, special tokens and all but the end token; and `length` where it was cut.

        With a `response_mask`, chat messages: what the mask leaves out is the environment's.
        """
        padded = batch["responses"]
        length = int(batch["attention_mask"][-padded.shape[-1] :].sum())
        ids = padded[:length].tolist()
        ends = {self._tokenizer.eos_token_id, self._tokenizer.pad_token_id}
        cut = length >= self._config.actor_rollout_ref.rollout.response_length and (not ids or ids[-1] not in ends)
        stop = "length" if cut else "stop"
        mask = batch["response_mask"][:length].tolist() if "response_mask" in batch.keys() else [1] * length  # noqa: SIM118
        turns: list[tuple[int, list[int]]] = []
        for token, own in zip(ids, mask, strict=True):
            if not turns or turns[-1][0] != own:
                turns.append((own, []))
            turns[-1][1].append(token)
        if all(own for own, _ in turns):
            return self._decoded(ids, ends), stop
        said = [{"role": "assistant" if own else "tool", "content": self._decoded(part, ends)} for own, part in turns]
        if not any(own for own, _ in turns):
            said.append({"role": "assistant", "content": ""})  # it wrote nothing, which is scored as such
        return said, stop

    def _decoded(self, ids: list[int], ends: set[int]) -> str:
        while ids and ids[-1] in ends:
            ids = ids[:-1]
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _total_steps(config: Any) -> int:
    """How many steps the run has; 0 where nothing says.

    A run that is sized by epochs is counted by verl's trainer when it has loaded the data, and before it starts its
    reward workers; it writes that down for the learning rate's schedule, which takes `parameter_sync_step` updates to a
    step of the trainer.
    """
    told = config.trainer.get("total_training_steps")
    if told is not None:
        return int(told)
    counted = config.actor_rollout_ref.get("actor", {}).get("optim", {}).get("total_training_steps") or 0
    versions = config.trainer.get("v1") or {} if config.trainer.get("use_v1", True) else {}
    updates = (versions.get(versions.get("trainer_mode")) or {}).get("parameter_sync_step") or 1
    return max(0, int(counted)) // int(updates)


def _plain(given: Any) -> dict[str, Any]:
    """A part of verl's configuration as plain dicts and lists."""
    if not given:
        return {}
    if isinstance(given, dict):
        return given
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(given, resolve=True)
    assert isinstance(plain, dict), "reward_kwargs is a mapping"
    return {str(name): value for name, value in plain.items()}
