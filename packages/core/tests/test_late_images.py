"""Pictures that an environment answers with: in its tokens as in a prompt's, in the update, in what is written down."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from guerdon.engines.multimodal import image_token, written
from guerdon.environments import Call, Search, Tags, ToolUse, played
from guerdon.errors import ConfigError, PolicyError, TaskError
from guerdon.parsing.images import opened
from guerdon.policies import likelihood
from guerdon.policies.language import LanguagePolicy
from guerdon.policies.masters import Masters
from guerdon.policies.packing import Completion, group_neighbours
from guerdon.protocols import Hit, Sampling, Split, Task, Turn
from guerdon.trainer.records import groups_of, rollout_records, row_of
from guerdon.types import Example, Group, Image, Message, Prompt, Rollout, Score, Segment

_spec = importlib.util.spec_from_file_location("tiny_sighted", Path(__file__).with_name("tiny_sighted.py"))
tiny_sighted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_sighted)
noise = tiny_sighted.noise

SAMPLING = Sampling(max_tokens=8, stop=tuple(map(chr, range(33, 127))))
"""A random model's turn ends at its first printable letter, and so seldom by its budget."""
SIZES = ((84, 56), (56, 112), (112, 112))


class Gallery:
    """Answers two turns with a picture each, whose pixels and size hang on what the policy said."""

    def reset(self, *, seed: int) -> str:
        return ""

    def cut(self, text: str) -> list[str]:
        return [part + "|" * (place < text.count("|")) for place, part in enumerate(text.split("|"))]

    def step(self, segments: Sequence[Segment]) -> Turn:
        said = [segment.text for segment in segments if segment.author == "policy"]
        if len(said) == 3:
            return Turn("", terminated=True)
        seed = zlib.crc32("|".join(said).encode())
        return Turn(f"look again {len(said)}", images=(noise(seed, *SIZES[seed % 3]),))


@dataclass(frozen=True)
class Looking(Task):
    """`1` begins with words alone; every other id is the seed of a picture in the prompt."""

    name = "looking"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id=str(place)) for place in range(2)]

    def prompt(self, example: Example) -> Prompt:
        images = () if example.id == "1" else (noise(int(example.id)),)
        return Prompt((Message("user", "look", images),))

    def environment(self, example: Example) -> Any:
        return Gallery()


def make(kind: str, folder: Path) -> LanguagePolicy:
    maker = getattr(tiny_sighted, kind)
    policy: LanguagePolicy = maker(folder) if kind.startswith("qwen") else maker()
    policy.model.config.get_text_config().max_position_embeddings = 1024  # room for three turns
    return policy


@pytest.fixture(params=["smolvlm", "llava", "qwen2_vl", "qwen3_vl"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> LanguagePolicy:
    return make(request.param, tmp_path)


def drawn(policy: LanguagePolicy, seed: int = 1) -> tuple[list[Group], list[Rollout]]:
    groups = policy.sample(Looking(), Looking().examples("train"), 3, SAMPLING, seed=seed)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    late = [shown(rollout) for rollout in rollouts]
    assert sum(map(len, late)) >= 4, "the seed gives too few turns to say anything"
    assert len({images for images in late if images}) > 1, "all rollouts were shown the same"
    return groups, rollouts


def shown(rollout: Rollout) -> tuple[Image, ...]:
    """The images that a turn of the policy's stands behind."""
    return tuple(
        image
        for segment, then in zip(rollout.segments, rollout.segments[1:], strict=False)
        for image in segment.images
        if then.author == "policy"
    )


def gradients(policy: LanguagePolicy, rollouts: Sequence[Rollout]) -> dict[str, torch.Tensor]:
    for parameter in policy.parameters():
        parameter.grad = None
    weights = torch.linspace(-1.0, 1.0, sum(rollout.steps for rollout in rollouts))
    (policy.logprobs(rollouts).logprobs_N * weights).sum().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in policy.model.named_parameters()
        if parameter.grad is not None
    }


def test_what_is_trained_on_is_what_was_sampled_from(policy: LanguagePolicy):
    """Packed, side by side with siblings that saw other pictures: the log-probs that the engine drew with."""
    _, rollouts = drawn(policy)
    sampled = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    scored = policy.logprobs(rollouts, grad=False).logprobs_N
    torch.testing.assert_close(scored, sampled, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["smolvlm", "llava", "qwen2_vl"])
def test_a_packed_group_is_its_rollouts_alone_and_so_is_its_gradient(kind: str, tmp_path: Path):
    """Against each rollout in a row of its own, read by the model as it is, all its pictures as those of one prompt."""
    policy = make(kind, tmp_path)
    _, rollouts = drawn(policy)
    packed = policy.logprobs(rollouts, grad=False).logprobs_N
    inside = gradients(policy, rollouts)
    assert policy.likelihood._packs_late
    policy.likelihood._packs_late = False
    torch.testing.assert_close(packed, policy.logprobs(rollouts, grad=False).logprobs_N, atol=1e-4, rtol=0)
    alone = gradients(policy, rollouts)
    assert any("vision" in name or "visual" in name for name in alone)
    assert inside.keys() == alone.keys()
    gap, size = (
        sum(float(part.square().sum()) for part in parts) ** 0.5
        for parts in ([inside[name] - alone[name] for name in alone], alone.values())
    )
    assert gap <= 1e-5 * size


@pytest.mark.parametrize("kind", ["smolvlm", "qwen2_vl"])
def test_an_engine_that_shares_prompts_draws_what_the_model_as_it_is_draws(kind: str, tmp_path: Path):
    policy = make(kind, tmp_path)
    _, rollouts = drawn(policy)
    assert policy.engine._shares_pictures  # type: ignore[attr-defined]
    policy.engine._shares_pictures = False  # type: ignore[attr-defined]
    assert [one.completion for one in drawn(policy)[1]] == [one.completion for one in rollouts]


def at_home(places: Any) -> Any:
    return places


def rolled(places: Any) -> Any:
    """A picture's states, each in its neighbour's place."""
    states, positions, following, late = places
    states = states.clone()
    for one in late:
        states[0, one.start : one.start + one.length] = states[0, one.start : one.start + one.length].roll(1, 0)
    return states, positions, following, late


def second_rolled(places: Any) -> Any:
    """The same of the last picture alone."""
    states, positions, following, late = places
    return (*rolled((states, positions, following, late[-1:]))[:3], late)


def pushed(places: Any) -> Any:
    """What stands behind a picture, one position too far."""
    states, positions, following, late = places
    positions = positions.clone()
    for one in late:
        positions[..., one.start + one.length : one.until] += 1
    return states, positions, following, late


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("misplaced", "found"), [(at_home, True), (rolled, False), (second_rolled, False), (pushed, False)]
)
@pytest.mark.parametrize("kind", ["smolvlm", "llava", "qwen2_vl"])
def test_a_misplaced_late_picture_is_found_in_each_type(
    kind: str, misplaced: Any, found: bool, dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """And the rollout is then read in a row of its own, with the numbers that it has there.

    The first turn is long: its tokens stand before every picture, and are no sign that one is in its place.
    """
    policy = make(kind, tmp_path)
    policy.masters, policy.chat.processor.dtype = Masters(policy.model, dtype), dtype  # type: ignore[union-attr]
    honest = likelihood.row_states
    monkeypatch.setattr(
        likelihood,
        "row_states",
        lambda model, ids, positions, spans, late=(): misplaced((*honest(model, ids, positions, spans, late), late))[
            :3
        ],
    )
    rollout = policy.reference_rollout(Looking(), Example(id="0"), f"{'one ' * 10}|two|three")
    scored = policy.logprobs([rollout], grad=False).logprobs_N
    assert policy.likelihood.packs
    assert policy.likelihood._packs_late is found
    policy.likelihood._packs_late = False
    alone = policy.logprobs([rollout], grad=False).logprobs_N
    torch.testing.assert_close(scored, alone, atol=1e-4 if dtype == torch.float32 else 0.1, rtol=0)


def test_only_tokens_behind_a_late_picture_tell_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the check compares of "one|", "two|", "three" and its end: all but the first turn's four tokens."""
    policy = make("llava", tmp_path)
    rollout = policy.reference_rollout(Looking(), Example(id="0"), "one|two|three")
    full, compared = policy.likelihood._full_logits, []
    monkeypatch.setattr(policy.likelihood, "_full_logits", lambda group: compared.append(group) or full(group))
    assert policy.likelihood.packs
    compared.clear()
    policy.logprobs([rollout], grad=False)
    ((completion,),) = [group.completions for group in compared]
    assert completion.scored == group_neighbours([rollout])[0].completions[0].scored[4:]


def test_a_late_picture_stands_where_the_chat_template_and_the_processor_put_it(policy: LanguagePolicy):
    """The tokens of a told rollout are those that the model's processor makes of the whole conversation at once."""
    task, example = Looking(), Example(id="0")
    rollout = policy.reference_rollout(task, example, "one|two|three")
    assert [(one.author, one.text, len(one.images)) for one in rollout.segments] == [
        ("policy", "one|", 0),
        ("environment", "look again 1", 1),
        ("policy", "two|", 0),
        ("environment", "look again 2", 1),
        ("policy", "three", 0),
    ]
    said = [
        Message("assistant" if one.author == "policy" else "user", one.text, one.images) for one in rollout.segments
    ]
    messages = (*task.prompt(example).messages, *said)
    read = policy.chat.processor.processor(  # type: ignore[union-attr]
        text=[policy.chat._render(messages, speak=False)],
        images=[opened(image) for message in messages for image in message.images],
        return_tensors="pt",
        add_special_tokens=False,
    )
    ids = [*rollout.prompt_ids, *(token for segment in rollout.segments for token in segment.token_ids)]
    whole = read["input_ids"][0].tolist()
    assert ids[:-1] == whole[: len(ids) - 1]
    assert ids[-1] == policy.chat.end_id
    given = policy.chat.pictures(rollout.images, ids)
    assert given.keys() == read.keys() - {"input_ids", "attention_mask"}
    for name, tensor in given.items():
        expected = read[name][:, : len(ids)] if name == "mm_token_type_ids" else read[name]
        assert torch.equal(tensor.to(expected.dtype), expected)


def test_a_told_rollout_is_learnt_from_as_a_sampled_one(policy: LanguagePolicy):
    """The policy's turns alone are scored: "one|", "two|", "three" and the token that ends it, a token a letter."""
    rollouts = [policy.reference_rollout(Looking(), Example(id=name), "one|two|three") for name in ("0", "1")]
    steps = policy.logprobs(rollouts)
    assert steps.lengths == (14, 14)
    steps.logprobs_N.sum().backward()
    read = [group_neighbours([rollout])[0] for rollout in rollouts]
    for group in read:
        policy.likelihood._packs = False
        alone = policy.likelihood.score([group])[0]
        policy.likelihood._packs = True
        torch.testing.assert_close(policy.likelihood.score([group])[0], alone, atol=1e-4, rtol=0)


def test_another_late_picture_changes_what_follows_it_and_nothing_before(policy: LanguagePolicy):
    rollout = policy.reference_rollout(Looking(), Example(id="0"), "one|two|three")
    first, seen, *rest = rollout.segments
    (image,) = seen.images
    other = noise(12345, *opened(image).size)
    changed = replace(rollout, segments=(first, replace(seen, images=(other,)), *rest))
    one, two = policy.logprobs([rollout, changed], grad=False).logprobs_N.reshape(2, -1)
    before = len(first.token_ids)
    torch.testing.assert_close(one[:before], two[:before], atol=1e-5, rtol=0)
    assert float((one[before:] - two[before:]).abs().max()) > 1e-3


def test_the_gradient_reaches_what_sees_by_a_late_picture_alone(policy: LanguagePolicy):
    """The prompt of example 1 is words; the first turn, behind which nothing was seen, moves nothing that sees."""
    rollout = policy.reference_rollout(Looking(), Example(id="1"), "one|two")
    first = replace(rollout, segments=rollout.segments[:1])
    for attempt, moved in ((first, False), (rollout, True)):
        found = {
            name: float(value.abs().sum())
            for name, value in gradients(policy, [attempt]).items()
            if "patch_embed" in name
        }
        assert bool(found) == moved
        assert all(value > 0 for value in found.values())


def test_images_count_as_the_tokens_that_they_are(tmp_path: Path):
    """LLaVA's picture is 16 tokens here; the prompt is read once, and the last token is predicted and not read."""
    policy = make("llava", tmp_path)
    rollout = policy.reference_rollout(Looking(), Example(id="0"), "one|two")
    said, seen, last, _ = rollout.segments  # what was answered to the last turn, nobody reads
    assert seen.token_ids.count(policy.chat.image_id) == 16
    behind = sum(len(segment.token_ids) for segment in (said, seen, last))
    assert policy.cost([rollout]) == len(rollout.prompt_ids) + behind - 1
    assert policy.cost([rollout, rollout]) == len(rollout.prompt_ids) + 2 * (behind - 1)


def test_a_picture_that_nobody_reads_on_behind_is_kept_and_not_read(tmp_path: Path):
    """The environment ends the rollout with it: it has no tokens, and costs nothing."""
    policy = make("llava", tmp_path)

    class Ends(Gallery):
        def step(self, segments: Sequence[Segment]) -> Turn:
            return Turn("done", terminated=True, images=(noise(5),))

    class Once(Looking):
        def environment(self, example: Example) -> Any:
            return Ends()

    (group,) = policy.sample(Once(), [Example(id="1")], 1, SAMPLING, seed=1)
    (rollout,) = group.rollouts
    assert (rollout.stop, rollout.segments[-1].images, rollout.segments[-1].token_ids) == (
        "environment",
        (noise(5),),
        (),
    )
    assert group_neighbours([rollout])[0].completions[0].shown == ()
    assert policy.cost([rollout]) == len(rollout.prompt_ids) + rollout.steps - 1


def test_where_an_image_stands_is_counted_over_all_segments():
    said, seen = Segment("policy", "ab", (5, 6)), Segment("environment", "x", (7, 8, 9), images=(Image("a.png"),))
    rollout = Rollout(Example(id="x"), (said, seen, said, seen), prompt_ids=(1,))
    completion = Completion.of(rollout)
    assert [(one.start, one.length, one.images) for one in completion.shown] == [
        (2, 3, (Image("a.png"),)),
        (7, 3, (Image("a.png"),)),
    ]
    assert completion.fed == 6
    assert [one.start for one in completion.seen] == [2]
    assert rollout.images == (Image("a.png"), Image("a.png"))


# -- a placeholder of the policy's own -----------------------------------------------------------------------------


def forged(policy: LanguagePolicy, rollout: Rollout, turn: int) -> Rollout:
    """The rollout with a placeholder as the first token of one of the policy's turns."""
    place = [index for index, segment in enumerate(rollout.segments) if segment.author == "policy"][turn]
    segments = list(rollout.segments)
    segments[place] = replace(segments[place], token_ids=(policy.chat.image_id, *segments[place].token_ids[1:]))
    return replace(rollout, segments=tuple(segments))


def test_a_placeholder_that_a_policy_writes_is_a_token_like_any_other(policy: LanguagePolicy):
    """Read as its own embedding, packed and in full rows alike, in a turn before a picture and in one behind."""
    assert policy.chat.image_id == image_token(policy.model)
    rollout = policy.reference_rollout(Looking(), Example(id="0"), "one|two|three")
    attempts = [forged(policy, rollout, turn) for turn in (0, 1, 2)]
    packed = policy.logprobs(attempts, grad=False).logprobs_N
    policy.likelihood._packs = False
    torch.testing.assert_close(policy.logprobs(attempts, grad=False).logprobs_N, packed, atol=1e-4, rtol=0)
    assert bool(packed.isfinite().all())


def test_a_rollout_ends_where_its_policy_writes_a_placeholder_and_pictures_are_shown(tmp_path: Path):
    policy = make("llava", tmp_path)
    real = policy.engine

    class Forging:
        sees, end_ids = True, real.end_ids  # type: ignore[attr-defined]

        def generate(self, prompts: Any, n: int, sampling: Sampling, **options: Any) -> Any:
            return [
                [replace(one, token_ids=(policy.chat.image_id, *one.token_ids[1:]), stop="stop") for one in group]
                for group in real.generate(prompts, n, sampling, **options)
            ]

    policy.engine = Forging()  # type: ignore[assignment]
    (group,) = policy.sample(Looking(), [Example(id="1")], 2, SAMPLING, seed=1)
    for rollout in group.rollouts:
        assert [one.author for one in rollout.segments] == ["policy", "environment"]
        assert (rollout.stop, rollout.segments[1].token_ids) == ("stop", ())


# -- who cannot see ------------------------------------------------------------------------------------------------


def test_a_model_that_reads_text_only_refuses_a_late_picture():
    policy = LanguagePolicy(tiny_sighted.tiny_models.tiny_llama(), tiny_sighted.tiny_models.byte_tokenizer())
    with pytest.raises(PolicyError, match=r"the environment shows 1 image\(s\), and this model reads text only"):
        policy.sample(Looking(), [Example(id="1")], 4, SAMPLING, seed=0)
    with pytest.raises(PolicyError, match="the environment shows"):
        policy.reference_rollout(Looking(), Example(id="1"), "one|two")


def test_an_engine_that_takes_no_pictures_is_named(tmp_path: Path):
    policy = make("llava", tmp_path)
    real = policy.engine

    class Blind:
        end_ids = real.end_ids  # type: ignore[attr-defined]

        def generate(self, prompts: Any, n: int, sampling: Sampling, *, seed: int) -> Any:
            return real.generate(prompts, n, sampling, seed=seed)

    policy.engine = Blind()  # type: ignore[assignment]
    with pytest.raises(PolicyError, match="Blind takes no prompts with images, an environment's included"):
        policy.sample(Looking(), [Example(id="1")], 4, SAMPLING, seed=0)


def test_a_turn_of_verifiers_is_text_and_a_late_picture_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Its classes are stand-ins here: what is asked of them is a turn's text, and a task's data."""
    from guerdon.adapters.verifiers import episodes
    from guerdon.grading import Grader
    from guerdon.rewards import reward

    @reward(bounds=(0.0, 1.0))
    def any_text(rollout: Rollout) -> float:
        return 1.0

    class Talk:
        trace = SimpleNamespace(is_truncated=False, info={})

        async def __aenter__(self) -> Talk:
            return self

        async def __aexit__(self, *error: object) -> None: ...

        async def turn(self, *text: str) -> SimpleNamespace:
            return SimpleNamespace(
                terminated=False,
                messages=[SimpleNamespace(role="assistant", content="hm", reasoning_content="", tool_calls=None)],
            )

    class Words(Looking):
        def prompt(self, example: Example) -> Prompt:
            return Prompt((Message("user", "look"),))

    class Asked:
        data = SimpleNamespace(example="1")
        grader = staticmethod(lambda: Grader(any_text, Words()))

        def with_data(self, **data: object) -> Asked:
            return self

    monkeypatch.setattr(episodes, "shown", lambda prompt: {})
    with pytest.raises(ConfigError, match="a turn of verifiers is handed text alone"):
        asyncio.run(episodes.play(Asked(), SimpleNamespace(interaction=lambda task: Talk())))  # type: ignore[arg-type]


def test_a_broken_late_picture_is_named(tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"nothing")

    class Broken(Gallery):
        def step(self, segments: Sequence[Segment]) -> Turn:
            return Turn("look", images=(Image(str(tmp_path / "broken.png")),))

    class Looks(Looking):
        def environment(self, example: Example) -> Any:
            return Broken()

    with pytest.raises(TaskError, match=r"broken\.png"):
        make("llava", tmp_path).reference_rollout(Looks(), Example(id="1"), "one|two")


def test_other_images_than_the_tokens_were_made_of_are_refused(tmp_path: Path):
    """Qwen's tokens follow a picture's size: a smaller one does not fit in the place of a larger."""
    policy = make("qwen2_vl", tmp_path)
    rollout = policy.reference_rollout(Looking(), Example(id="1"), "one|two")
    first, seen, *rest = rollout.segments
    other = replace(rollout, segments=(first, replace(seen, images=(noise(1, 56, 28),)), *rest))
    with pytest.raises(PolicyError, match="placeholder tokens, and the rollout has"):
        policy.logprobs([other])


# -- played, written down and read back ----------------------------------------------------------------------------


def test_a_played_rollout_carries_what_it_was_shown():
    rollout = played(Looking(), Example(id="1"), "one|two|three")
    assert [len(segment.images) for segment in rollout.segments] == [0, 1, 0, 1, 0]
    assert rollout.segments[0].observation.images == rollout.segments[1].images


def test_a_rollouts_file_holds_late_pictures_and_the_prompts_are_the_tasks(tmp_path: Path):
    """Files by their names, pictures of bytes whole: what is read back is what was written."""
    noise(3).data  # noqa: B018 - bytes, as an environment that draws has them
    (tmp_path / "case.png").write_bytes(noise(3).data)
    case = Image(str(tmp_path / "case.png"))
    answer = Turn("seen", info={"k": 1}, images=(case, noise(4)))
    segments = (
        Segment("policy", "one|", (5, 6), (-0.5, -0.25), answer),
        Segment("environment", "seen", (7, 8), images=answer.images),
        Segment("policy", "two", (9,), (-1.0,), Turn("", terminated=True)),
    )
    task = Looking()
    for name in ("0", "1"):
        example = Example(id=name)
        group = Group.of([Rollout(example, segments, task.prompt(example), (1, 2), "environment")])
        written = json.loads(json.dumps(rollout_records([group], [[Score(1.0)]], step=0, phase="rl", weights={})))
        (read,), _ = groups_of(written, {name: example}, {name: task.prompt(example)})
        assert read == group
        assert written[0]["segments"][1]["images"][0] == {"path": str(tmp_path / "case.png")}
        assert "images" not in written[0]["segments"][0]["turn"]


def test_a_row_whose_pictures_are_none_is_refused():
    from guerdon.grading import Grader
    from guerdon.rewards import reward

    @reward(bounds=(0.0, 1.0))
    def seen(rollout: Rollout) -> float:
        return float(len(rollout.images) == 2)

    grader = Grader(seen, Looking())
    row = row_of(played(Looking(), Example(id="1"), "one|two|three"))
    assert [score.value for score in grader.grade([row])] == [1.0]
    for images in ("a.png", [{"data": "%"}], [{"path": ""}], [{}], 3):
        broken = {**row, "segments": [{"author": "environment", "text": "", "images": images}, *row["segments"]]}
        with pytest.raises(ConfigError, match="a segment's images are"):
            grader.grade([broken])


# -- tools ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Camera:
    """Answers with a picture and words."""

    tags: Tags = field(default_factory=lambda: Tags("snap", "photo"))

    def call(self, queries: Sequence[str]) -> list[Call]:
        return [Call(f"of {query}", {"seed": 7}, (noise(7),)) for query in queries]


def test_a_tool_answers_with_a_picture():
    world = ToolUse((Camera(),), max_chars=4)
    turn = world.step([Segment("policy", "<snap>it</snap>")])
    assert turn == Turn(
        "<photo>of i</photo>", info={"tool": "snap", "query": "it", "seed": 7, "cut_at": 4}, images=(noise(7),)
    )


@dataclass(frozen=True)
class Cases:
    """A retriever of three hits, of which the second has no picture."""

    name = "cases"

    def search(self, queries: Sequence[Any], k: int = 10) -> list[list[Hit]]:
        files = ("a.png", "", "c.png")
        return [[Hit(str(place), 1.0, "text", image=file) for place, file in enumerate(files)][:k] for _ in queries]


@pytest.mark.parametrize(("most", "expected"), [(0, ()), (1, ("a.png",)), (2, ("a.png", "c.png"))])
def test_a_search_shows_pictures_of_what_it_found_where_it_is_told_to(most: int, expected: tuple[str, ...]):
    (call,) = Search(Cases(), pictures=most).call(["x"])
    assert call.images == tuple(map(Image, expected))
    (cut,) = Search(Cases(), k=3, max_total_chars=8, pictures=2).call(["x"])
    assert cut.images == (Image("a.png"),)  # the third passage does not fit, nor is its picture shown


def test_a_placeholder_that_a_policy_wrote_is_embedded_as_the_model_embeds():
    """Some models scale what they look up: the token that stands in has the scaled state too."""
    model = tiny_sighted.llava().model
    embed = model.get_input_embeddings()
    scaled = embed.register_forward_hook(lambda module, args, states: states * 8)
    ids = torch.tensor([[5, image_token(model), 7, image_token(model)]])
    with torch.no_grad():
        as_it_is = embed(ids)
        with written(model, ids, [1, 3]) as given:
            assert image_token(model) not in given.tolist()[0]
            torch.testing.assert_close(embed(given), as_it_is, atol=0, rtol=0)
    scaled.remove()


def test_a_row_for_another_machine_holds_its_pictures(tmp_path: Path):
    (tmp_path / "seen.png").write_bytes(b"picture")
    shown = Segment("environment", "look", images=(Image(str(tmp_path / "seen.png")),))
    rollout = Rollout(Example(id="1"), (Segment("policy", "one"), shown))
    assert row_of(rollout)["segments"][1]["images"] == [{"path": str(tmp_path / "seen.png")}]
    assert row_of(rollout, whole=True)["segments"][1]["images"] == [{"data": "cGljdHVyZQ=="}]
    (tmp_path / "seen.png").unlink()
    with pytest.raises(OSError, match=r"seen\.png"):
        row_of(rollout, whole=True)
