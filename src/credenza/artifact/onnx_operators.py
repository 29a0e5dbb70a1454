"""Which operators of an ONNX graph run code that neither ONNX nor ONNX Runtime brings.

An operator has a domain. Those of ONNX itself are what every runtime implements; a custom one is
found by its name among whatever libraries the process has registered.
"""

from __future__ import annotations

import re
from typing import Final

STANDARD: Final = frozenset(
    {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"}
)
"""Domains of ONNX itself (docs/IR.md)."""

_CONTRIBUTED: Final = frozenset(
    re.findall(
        r"\w+",
        """
    Attention AttnLSTM BeamSearch BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu
    BifurcationDetector BitmaskBiasDropout BitmaskDropout CDist CausalConvWithState ComplexMul
    ComplexMulConj ConvTransposeWithDynamicPads CropAndResize DecoderAttention
    DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention DequantizeBFP DequantizeLinear
    DequantizeWithOrder DynamicQuantizeLSTM DynamicQuantizeMatMul DynamicTimeWarping
    EmbedLayerNormalization EngramGate ExpandDims FastGelu FusedConv FusedGemm FusedMatMul
    FusedMatMulActivation GatedAdd GatedDeltaNet GatedRMSNorm GatedRelativePositionBias
    GatherBlockQuantized GatherND Gelu GemmFastGelu GemmFloat8 GemmaRotaryEmbedding GreedySearch
    GridSample GroupNorm GroupQueryAttention Inverse Irfft IsAllFinite LinearAttention
    LinearAttentionGate LongformerAttention MRotaryEmbedding MatMulBlockQuantizedFp4Weight
    MatMulBlockQuantizedFp8Weight MatMulBnb4 MatMulFpQ4 MatMulInteger16 MatMulIntegerToFloat
    MatMulNBits MatMulNBitsMlp MatMulNBitsQkv MaxpoolWithMask MoE MulInteger MultiHeadAttention
    MurmurHash3 NGramHashMapping NGramRepeatBlock NhwcConv NhwcFusedConv NhwcMaxPool
    PackedAttention PackedMultiHeadAttention Pad PagedAttention QAttention QEmbedLayerNormalization
    QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool
    QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE
    QOrderedAttention QOrderedGelu QOrderedLayerNormalization QOrderedLongformerAttention
    QOrderedMatMul QuantizeBFP QuantizeLinear QuantizeWithOrder QuickGelu Range ReduceSumInteger
    RelativePositionBias RemovePadding RestorePadding Rfft RotaryEmbedding SampleOp Sampling
    SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization SparseAttention
    SparseToDenseMatMul Tokenizer TorchEmbedding TransposeMatMul Trilu UnfoldTensor Unique
    VarlenCausalConvWithState VarlenNGramHashMapping WhisperBeamSearch WordConvEmbedding
    """,
    )
)
"""Those of ``com.microsoft`` that ONNX Runtime brings (its docs/ContribOperators.md), without
EPContext and Snpe, which hand compiled code, or the path to it, to a driver."""

_LAYOUT: Final = frozenset(
    re.findall(
        r"\w+",
        """
    AveragePool Conv GlobalAveragePool GlobalMaxPool MaxPool ReorderInput ReorderOutput Upsample
    """,
    )
)
"""Those of ``com.microsoft.nchwc``, which ONNX Runtime writes into a model that it optimised."""

_BROUGHT: Final = {"com.microsoft": _CONTRIBUTED, "com.microsoft.nchwc": _LAYOUT}


def is_brought(domain: str, operator: str) -> bool:
    """Whether ONNX Runtime itself brings that operator of a domain that is not ONNX's."""
    return operator in _BROUGHT.get(domain, ())
