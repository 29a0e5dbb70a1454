"""GGML's element types by their numbers in a GGUF file.

``enum ggml_type`` of llama.cpp's `ggml.h`; sizes as `ggml-common.h` lays the blocks out.
"""

from __future__ import annotations

from typing import Final

from credenza.artifact.model import Dtype

TYPES: Final[dict[int, Dtype]] = {
    0: Dtype.F32,
    1: Dtype.F16,
    2: Dtype.Q4_0,
    3: Dtype.Q4_1,
    6: Dtype.Q5_0,
    7: Dtype.Q5_1,
    8: Dtype.Q8_0,
    10: Dtype.Q2_K,
    11: Dtype.Q3_K,
    12: Dtype.Q4_K,
    13: Dtype.Q5_K,
    14: Dtype.Q6_K,
    15: Dtype.Q8_K,
    16: Dtype.IQ2_XXS,
    17: Dtype.IQ2_XS,
    18: Dtype.IQ3_XXS,
    19: Dtype.IQ1_S,
    20: Dtype.IQ4_NL,
    21: Dtype.IQ3_S,
    22: Dtype.IQ2_S,
    23: Dtype.IQ4_XS,
    24: Dtype.I8,
    25: Dtype.I16,
    26: Dtype.I32,
    27: Dtype.I64,
    28: Dtype.F64,
    29: Dtype.IQ1_M,
    30: Dtype.BF16,
    34: Dtype.TQ1_0,
    35: Dtype.TQ2_0,
    39: Dtype.MXFP4,
    40: Dtype.NVFP4,
    41: Dtype.Q1_0,
}

REFUSED: Final[dict[int, str]] = {
    4: "Q4_2, which was removed",
    5: "Q4_3, which was removed",
    9: "Q8_1, whose blocks have 36 bytes for llama.cpp and 40 for the gguf package",
    31: "Q4_0_4_4, which was removed",
    32: "Q4_0_4_8, which was removed",
    33: "Q4_0_8_8, which was removed",
    36: "IQ4_NL_4_4, which was removed",
    37: "IQ4_NL_4_8, which was removed",
    38: "IQ4_NL_8_8, which was removed",
}
"""Types that have a number, and no layout that all readers agree on."""
