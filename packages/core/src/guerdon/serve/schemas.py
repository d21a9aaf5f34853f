"""The bodies, as OpenAPI describes them. They are checked in the lanes, by `answering`, which says what is wrong."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ROW: Schema = {
    "type": "object",
    "description": "One completion. Any field of a run's rollouts file may stand here too (segments, prompt ...), and "
    "of the task's examples; the answer tells which others there were (unread).",
    "required": ["example"],
    "properties": {
        "example": {
            "oneOf": [{"type": "string"}, {"type": "object"}],
            "description": "An example's id; its fields, where the server takes them.",
        },
        "completion": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
            "description": "What the policy wrote: a text, or chat messages.",
        },
        "group": {"description": "Which attempts at one example are compared; if absent, all of this request's."},
        "stop": {"type": "string", "enum": ["stop", "length", "environment", "error"], "default": "stop"},
    },
    "additionalProperties": True,
}
SCORE_REQUEST: Schema = {
    "type": "object",
    "required": ["rows"],
    "additionalProperties": False,
    "properties": {
        "reward": {"type": "string", "description": "One of GET /v1/rewards; may be absent where there is one alone."},
        "rows": {"type": "array", "items": ROW, "description": "Whole groups: siblings are compared within a request."},
        "step": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "How far the run is, for rewards with schedules.",
        },
        "total_steps": {"type": "integer", "minimum": 0, "default": 0},
        "seed": {"type": "integer", "default": 0},
        "learn": {
            "type": "boolean",
            "default": False,
            "description": "The rows are a training batch, which rewards that learn do from; the answer's learnt says "
            "whether this one did. Not for streams.",
        },
    },
}
SCORE: Schema = {
    "type": "object",
    "required": ["value", "why", "status", "weights", "parts"],
    "properties": {
        "value": {"type": ["number", "null"], "description": "null where there is no score: see status."},
        "why": {"type": "string"},
        "status": {
            "type": "string",
            "enum": ["ok", "fail", "timeout", "rejected", "truncated", "abstain", "invalid", "infra"],
        },
        "weights": {"type": "object", "additionalProperties": {"type": "number"}},
        "parts": {"type": "object", "additionalProperties": {"type": "object"}, "description": "Scores, by name."},
        "dense": {"type": "object", "description": "Values per rollout, turn, step or span, by name."},
    },
}
SCORE_ANSWER: Schema = {
    "type": "object",
    "required": ["reward", "count", "unscored", "learnt", "unread", "scores"],
    "properties": {
        "reward": {"type": "string"},
        "count": {"type": "integer"},
        "unscored": {"type": "integer", "description": "How many have no value."},
        "learnt": {"type": "boolean", "description": "It was a training batch, and the reward is one that learns."},
        "unread": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Fields of rows that nobody reads, the first 20: misspelt, or meant for another reward.",
        },
        "scores": {"type": "array", "items": SCORE, "description": "One per row, in order."},
    },
}
STREAM_LINE: Schema = {
    "description": "A row's score as it comes; at last done, or error where the stream broke off.",
    "oneOf": [
        {"type": "object", "required": ["row", "score"], "properties": {"row": {"type": "integer"}, "score": SCORE}},
        {"type": "object", "required": ["done"], "properties": {"done": {"type": "boolean"}}},
        {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    ],
}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
OPENRLHF_REQUEST: Schema = {
    "type": "object",
    "required": ["query", "prompts", "labels"],
    "properties": {"query": _TEXTS, "prompts": _TEXTS, "labels": _TEXTS},
}
OPENRLHF_ANSWER: Schema = {
    "type": "object",
    "required": ["rewards", "scores", "extra_logs"],
    "properties": {
        "rewards": _NUMBERS,
        "scores": _NUMBERS,
        "extra_logs": {"type": "object", "additionalProperties": _NUMBERS},
    },
}
_ERROR: Schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REFUSALS = {
    400: "not JSON",
    401: "no token, or another",
    404: "no such reward; the message has those there are. Or no --openrlhf-fill",
    408: "the body came too slowly",
    413: "too many bytes, or rows, or too much memory",
    422: "rows that cannot be scored; the message has the row and the field",
    429: "no room; Retry-After says when to ask again",
    500: "a bug in a reward; the message has the sample",
    502: "the scoring process died over this batch, twice; or a bug of the server",
    503: "the server is ending, or the batch waited too long; ask again",
    504: "scoring took too long",
}


def described(request: Schema, answer: Schema, media: str = "application/json") -> Schema:
    """A route's entry in OpenAPI: its bodies and its refusals."""
    refusals = {
        str(code): {"description": told, "content": {"application/json": {"schema": _ERROR}}}
        for code, told in _REFUSALS.items()
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {"200": {"description": "scored", "content": {media: {"schema": answer}}}, **refusals},
    }
