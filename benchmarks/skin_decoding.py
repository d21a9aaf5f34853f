"""Decoding 50 bones on 10,242 vertices against the heat baseline on the same mesh and bones.

    python benchmarks/skin_decoding.py --rounds 5

Weights do not matter to the time: the codec is untrained. A mesh's condition is made once, and is timed apart.
"""

import argparse
import statistics
import time

import numpy as np
import torch
import trimesh

from guerdon_rigging.baselines import heat
from guerdon_rigging.rigs import Mesh, Skeleton
from guerdon_rigging.skin_codec import FSQCVAE

BONES = 50


def timed(work, rounds):
    found = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [statistics.median(values) for values in zip(*found, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    ball = trimesh.creation.icosphere(subdivisions=5)
    mesh = Mesh(np.array(ball.vertices) * [0.4, 1.0, 0.3], np.array(ball.faces, np.int64))
    rng = np.random.default_rng(0)
    joints = rng.uniform(-1, 1, (BONES, 3)) * [0.3, 0.9, 0.2]
    skeleton = Skeleton(joints, np.array([-1, *(int(rng.integers(0, j)) for j in range(1, BONES))]))
    codec = FSQCVAE.untrained()
    condition = codec.condition(mesh)
    codes = rng.integers(0, codec.codes, (BONES, codec.length))
    codec.decode(condition, codes)
    decoded = timed(lambda: codec.decode(condition, codes), rounds)
    conditioned = timed(lambda: codec.condition(mesh), rounds)
    heated = timed(lambda: heat(mesh, skeleton), rounds)
    for name, (wall, cpu) in (("decode", decoded), ("condition", conditioned), ("heat", heated)):
        print(f"{name}: {1e3 * wall:.0f} ms by the clock, {1e3 * cpu:.0f} ms of CPU (median of {rounds})")
    print(f"decode / heat: {decoded[1] / heated[1]:.3f} of CPU")


if __name__ == "__main__":
    main()
