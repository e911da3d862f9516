"""Random sources of private fits, filled by the operating system and by nothing else.

A known seed would void a guarantee: whoever can repeat the noise can subtract it. So no function here takes a seed, and
no state of these sources is ever stored.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import torch

_WORDS = 624
"""32-bit words of the Mersenne Twister's state."""

_WORDS_FROM = 24
"""Bytes before them in what `torch.Generator.get_state` returns: seed, words left, flag, next word."""


def system_rng() -> np.random.Generator:
    """A numpy generator started from 256 bits of the operating system: membership of batches, choice among rows."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(os.urandom(32), "little")))


def system_generator(device: torch.device) -> torch.Generator:
    """A torch generator started from the operating system, for Gaussian noise.

    It is an ordinary generator, neither cryptographic nor free of rounding: the noise of DP-SGD is what statistics
    call Gaussian, not what OpenDP's exact mechanisms draw.

    On the CPU ``manual_seed`` keeps only 32 bits of a seed, few enough to try them all; there the whole state of the
    Mersenne Twister comes from the operating system. On a GPU the seed has 64 bits.
    """
    generator = torch.Generator(device)
    if device.type != "cpu":
        return generator.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
    state = generator.manual_seed(0).get_state().numpy().copy()
    words = np.frombuffer(os.urandom(4 * _WORDS), dtype=np.uint32).astype(np.uint64)
    end = _WORDS_FROM + words.nbytes
    if len(state) < end or sys.byteorder != "little":  # another layout than any torch has had so far
        raise RuntimeError("this build of torch keeps its random state in an unknown way: private fits cannot seed it")
    state[_WORDS_FROM:end] = words.view(np.uint8)
    generator.set_state(torch.from_numpy(state))
    return generator
