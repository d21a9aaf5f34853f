"""What the grammar's mask costs while rigs are drawn with a cache: `python benchmarks/rig_decoding.py`.

Two writers over one network of the shipped size, one with the mask and one without, take turns; both draw 24 sequences
of 200 tokens that are all too short to end, so that they take the same steps.
"""

import statistics
import time

import torch

from guerdon.protocols import Sampling
from guerdon_rigging.grammar import Grammar
from guerdon_rigging.rig_networks import RigTransformer
from guerdon_rigging.rig_shapes import SMALL
from guerdon_rigging.rig_writing import Writer

ROUNDS, ROWS, TOKENS = 7, 24, 200


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = RigTransformer(SMALL).eval()
    prefix = network.prefix(torch.randn(1, SMALL.points, 6)).detach()
    endless = Grammar(SMALL.vocabulary, fewest=1000)
    writers = {"mask": Writer(network, endless), "no mask": Writer(network, None)}
    took: dict[str, list[float]] = {name: [] for name in writers}
    for _ in range(ROUNDS + 1):
        for name, writer in writers.items():
            start = time.process_time()
            (drawn,) = writer.write(prefix, [[]], ROWS, Sampling(max_tokens=TOKENS), seed=0)
            took[name].append((time.process_time() - start) / sum(len(one.tokens) for one in drawn))
    ratios = sorted(a / b for a, b in zip(took["mask"][1:], took["no mask"][1:], strict=True))
    for name, values in took.items():
        print(f"{name:8}{1e6 * statistics.median(values[1:]):8.1f} microseconds of processor a token (median)")
    print(f"with the mask / without: min {ratios[0]:.3f}, median {statistics.median(ratios):.3f}, max {ratios[-1]:.3f}")


if __name__ == "__main__":
    main()
