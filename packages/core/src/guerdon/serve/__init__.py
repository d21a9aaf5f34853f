"""The reward server, `guerdon serve`: rows in over HTTP, one score per row out, for trainers on other machines.

```
request ──▶ app (limits, token) ──▶ desk (bounded queue) ──▶ lanes (one process each) ──▶ guerdon.grading.Grader
```

| module | its one idea |
|---|---|
| `settings` | every limit, with its unit |
| `app` | the routes, and what each refusal says |
| `bodies` | reading a request's body within limits of size and time |
| `admission` | who may ask: the token, and which address may be bound without one |
| `desk` | the bounded queue, and the threads that bring its jobs to lanes |
| `lane`, `lane_process` | a worker process, from outside and from inside |
| `answering` | bytes in, bytes out: what a lane does with one request |
| `openrlhf` | the same for OpenRLHF's route, whose requests are answered together |
| `metrics` | what is counted, in Prometheus' words |
| `server` | uvicorn, slow clients, and an end that loses no accepted batch |
| `client`, `remote` | the other side: a client, and a reward that is scored by a server |

Nothing is imported or built by a request's words: only what the operator named at start can be asked for. Where there
is a task, examples are named by id unless the operator allows rows to bring their own fields (a field may be a path on
this machine); a reward without a task looks at what rows bring, and at nothing else.

Covers: clients that are slow, hang up, send too much, or send nonsense; rewards that hang, crash their process or have
a bug. Does not cover: transport encryption (put a proxy in front), many users with different rights (there is one
token), and a lane's memory, unless `lane_memory_mb` is set: a request of 32 MiB can take a gibibyte there.
"""
