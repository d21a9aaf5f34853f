"""MediX-R1's three presets: one file beside this module, with the optimiser's part filled in.

Source: the sheet's "Group-based RL" [code]. GRPO's clip of .2 and .3 is the authors' framework's default; their script
for 7B models is named grpo and is GSPO.
"""

from __future__ import annotations

from importlib.resources import files

_LIMITS = "max_log_ratio: 20.0"
_GRPO = f"""  loss: {{average: token, clip_low: 0.2, clip_high: 0.3, dual_clip: 3.0, {_LIMITS},
         kl_weight: 0.01, max_kl: 10.0}}"""
_GSPO = (
    f"  loss: {{kind: gspo_token, average: sequence, clip_low: 3.0e-4, clip_high: 4.0e-4, dual_clip: 3.0, {_LIMITS}}}"
)
_DAPO = f"""  loss: {{average: token, clip_low: 0.2, clip_high: 0.28, dual_clip: 3.0, {_LIMITS}}}
  # Their online filter looks at the mean alone, in at most 20 draws; `dead: drop` also leaves out groups of equal
  # rewards, which have no gradient. The metrics refill/dead and refill/outside count both.
  refill: {{dead: keep, above: 0.01, below: 0.99, max_rounds: 19}}"""


def medix_grpo() -> str:
    """GRPO: a ratio per token, and a divergence of weight .01."""
    return _filled("medical-medix-grpo", "MediX-R1 by GRPO, sized for one GPU", _GRPO)


def medix_gspo() -> str:
    """GSPO: a ratio per response, clipped at 3e-4 and 4e-4."""
    return _filled("medical-medix-gspo", "MediX-R1 by GSPO (ratios per response), sized for one GPU", _GSPO)


def medix_dapo() -> str:
    """DAPO: a wider upper clip, no divergence, and groups chosen by their mean."""
    return _filled("medical-medix-dapo", "MediX-R1 by DAPO (groups chosen by their mean), sized for one GPU", _DAPO)


def _filled(name: str, summary: str, loss: str) -> str:
    text = (files(__package__) / "medix.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("SUMMARY", summary).replace("LOSS", loss)
