"""What a model computes in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from guerdon.errors import ConfigError

Dtype = Literal["auto", "float32", "bfloat16"]


def dtype_named(dtype: str, device: torch.device) -> torch.dtype:
    """The type of that name; `auto` is what the device prefers.

    Raises:
        ConfigError: there is no such name.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype == "auto":
        return preferred_dtype(device)
    if dtype not in known:
        raise ConfigError(f"dtype: no type named {dtype!r}; accepted are 'auto', 'float32' and 'bfloat16'")
    return known[dtype]


def device_named(device: str) -> torch.device:
    """The device of that name (`cpu`, `cuda`, `cuda:1`, ...); `auto` is CUDA where there is one.

    Raises:
        ConfigError: there is no such name, or no such device here.
    """
    there = torch.cuda.is_available()
    try:
        found = torch.device(("cuda" if there else "cpu") if device == "auto" else device)
    except (RuntimeError, TypeError):
        raise ConfigError(f"device is {device!r}; accepted are 'auto', 'cpu', 'cuda', 'cuda:1', ...") from None
    if found.type == "cuda" and not there:
        raise ConfigError(f"device is {device!r}, and torch finds no CUDA here; accepted are 'auto' and 'cpu'")
    try:
        torch.zeros(0, device=found)
    except (RuntimeError, AssertionError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"device is {device!r}, which cannot be used here ({said}); accepted are 'auto', 'cpu', 'cuda'"
        ) from None
    return found


def preferred_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively (CUDA with bf16, AMX or AVX512-BF16), else float32.

    Decided by the processor's flags and not by timing, so that a resumed run computes in the type it began with.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu":
        flags = _cpu_flags()
        return torch.bfloat16 if flags & {"amx_bf16", "avx512_bf16"} else torch.float32
    return torch.float32


def _cpu_flags() -> set[str]:
    """Instruction sets of the processor, as far as torch (2.13 and later) or the kernel tells."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return {name for name, present in capabilities().items() if present is True}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
