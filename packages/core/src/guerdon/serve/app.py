"""The routes, and what each refusal says.

| route | |
|---|---|
| `POST /v1/score` | rows in, scores out |
| `POST /v1/score/stream` | the same, as lines of JSON while they are scored |
| `GET /v1/rewards` | what can be asked for |
| `POST /openrlhf/{reward}` | OpenRLHF's remote reward: the address to give to `--reward.remote_url` |
| `GET /healthz`, `GET /readyz` | the process lives; it takes batches |
| `GET /metrics`, `GET /openapi.json` | for Prometheus; for those who write a client |

Every refusal is `{"error": WHY}`; the codes are listed in `schemas`. Bodies are not parsed here: the event loop only
moves bytes. With a token, all but the two health routes ask for it.
"""
# No `from __future__ import annotations`: FastAPI reads the endpoints' annotations, and it is imported inside.

from typing import TYPE_CHECKING, Any

from guerdon.serve import schemas
from guerdon.serve.answering import Kind, RefusedError, dump
from guerdon.serve.bodies import HungUpError
from guerdon.serve.desk import FullError
from guerdon.serve.intake import Intake
from guerdon.serve.openrlhf import NO_FILL
from guerdon.serve.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

_NDJSON = "application/x-ndjson"
_CLOSED_REQUEST = 499
"""Nginx's code for a client that left: counted, and seen by nobody."""


def build_app(service: Service) -> "FastAPI":
    """The ASGI application. The desk's lanes are started and ended by whoever runs it: see `guerdon.serve.server`."""
    import importlib.metadata

    from fastapi import FastAPI, Request, Response
    from fastapi.responses import StreamingResponse
    from starlette.exceptions import HTTPException

    metrics = service.metrics

    class Lines(StreamingResponse):  # type: ignore[misc, unused-ignore] # without FastAPI's types
        """Parts as they come; whatever happens, the intake is closed."""

        def __init__(self, intake: Intake, first: Any) -> None:
            super().__init__(intake.rest(first), media_type=_NDJSON)
            self.intake = intake

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await super().__call__(scope, receive, send)
            finally:
                self.intake.close()

    def refusal(code: int, why: str, retry_after_s: int | None = None) -> Response:
        return reply(code, dump({"error": why}), retry_after_s)

    def reply(code: int, body: bytes, retry_after_s: int | None = None) -> Response:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        if code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(body, code, headers, "application/json")

    async def batch(request: Request, route: str, kind: Kind, name: str | None) -> Response:
        """Accept, wait, answer."""
        intake = Intake(service, request)
        streams = False
        try:
            first = await intake.first(kind, name)
            if kind == "stream" and first.code == 200:
                streams = True
                response: Response = Lines(intake, first)
            else:
                response = reply(first.code, first.body, 1 if first.code == 503 else None)
        except RefusedError as error:
            response = refusal(error.code, str(error), 1 if error.code == 503 else None)
        except FullError as error:
            response = refusal(429, f"{error}; ask again in {error.retry_after_s} s", error.retry_after_s)
        except HungUpError:
            response = Response(status_code=_CLOSED_REQUEST)
        finally:
            if not streams:
                intake.close()
        metrics.answered(route, response.status_code)
        return response

    async def score(request: Request) -> Response:
        """Score rows: one score per row, in order. Siblings that are to be compared belong into one request."""
        return await batch(request, "/v1/score", "score", None)

    async def stream(request: Request) -> Response:
        """Score many rows, and have each group's scores as soon as they are there."""
        return await batch(request, "/v1/score/stream", "stream", None)

    async def openrlhf(request: Request, reward: str) -> Response:
        """OpenRLHF's remote reward."""
        if service.settings.openrlhf_fill is None:
            response = guarded(request, lambda: refusal(404, NO_FILL))
            metrics.answered("/openrlhf/{reward}", response.status_code)
            return response
        return await batch(request, "/openrlhf/{reward}", "openrlhf", reward)

    async def rewards(request: Request) -> Response:
        """The rewards that can be asked for, their bounds and parts."""
        return guarded(request, lambda: reply(200, dump({"rewards": service.described()})))

    async def measured(request: Request) -> Response:
        """Counters and gauges for Prometheus."""
        page = "text/plain; version=0.0.4; charset=utf-8"
        return guarded(request, lambda: Response(metrics.text(service.desk, service.draining), media_type=page))

    async def openapi(request: Request) -> Response:
        """This description."""
        return guarded(request, lambda: reply(200, dump(app.openapi())))

    def guarded(request: Request, made: Any) -> Response:
        try:
            service.check_token(request)
        except RefusedError as error:
            return refusal(error.code, str(error))
        response: Response = made()
        return response

    async def healthy() -> Response:
        """The process lives."""
        return reply(200, dump({"status": "ok"}))

    async def ready() -> Response:
        """Whether batches are taken."""
        if service.draining:
            return reply(503, dump({"status": "ending", "accepted": service.accepted}), 1)
        return reply(200, dump({"status": "ready", "lanes": len(service.desk.pids), "waiting": service.desk.waiting}))

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "it was registered for these"
        return refusal(error.status_code, f"{error.detail}: {request.method} {request.url.path:.200}")

    app = FastAPI(
        title="guerdon",
        version=importlib.metadata.version("guerdon"),
        summary="Tailored rewards, scored by request.",
        openapi_url=None,  # served below: it asks for the token
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
    )
    post: dict[str, Any] = {"methods": ["POST"], "response_model": None}
    get: dict[str, Any] = {"methods": ["GET"], "response_model": None}
    scored = schemas.described(schemas.SCORE_REQUEST, schemas.SCORE_ANSWER)
    lines = schemas.described(schemas.SCORE_REQUEST, schemas.STREAM_LINE, _NDJSON)
    theirs = schemas.described(schemas.OPENRLHF_REQUEST, schemas.OPENRLHF_ANSWER)
    app.add_api_route("/v1/score", score, openapi_extra=scored, **post)
    app.add_api_route("/v1/score/stream", stream, openapi_extra=lines, **post)
    app.add_api_route("/v1/rewards", rewards, **get)
    app.add_api_route("/openrlhf/{reward}", openrlhf, openapi_extra=theirs, **post)
    app.add_api_route("/healthz", healthy, **get)
    app.add_api_route("/readyz", ready, **get)
    app.add_api_route("/metrics", measured, **get)
    app.add_api_route("/openapi.json", openapi, include_in_schema=False, **get)
    app.add_exception_handler(HTTPException, no_route)
    return app
