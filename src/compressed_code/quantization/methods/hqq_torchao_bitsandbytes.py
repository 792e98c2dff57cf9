"""HQQ, torchao and bitsandbytes: each library quantizes every matrix by itself and decodes it again.

Their own file formats are read by their own loaders only, so the decoded numbers are stored; what their codes need in
bits is counted on the tensors the library packs.
"""

from collections.abc import Callable

import numpy as np

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.quantization.methods.quantized_matrix import DecodedMatrix
from compressed_code.registry.quantizations import Quantization

Quantizer = Callable[[np.ndarray], DecodedMatrix]

BITSANDBYTES_TYPES = ("nf4", "fp4")
BITSANDBYTES_BLOCK = 64  # weights that share a scale, as in QLoRA (arXiv 2305.14314)
HQQ_BITS = (2, 3, 4, 8)


def hqq_quantizer(quantization: Quantization) -> Quantizer:
    """Half-quadratic quantization (Badri and Shaji 2023, mobiusml.github.io/hqq_blog), groups along the inputs.

    Raises:
        InputError: a width HQQ does not pack, or a symmetric grid.
        Unavailable: the library is missing.
    """
    if quantization.bits not in HQQ_BITS:
        raise InputError(f"{quantization.bits} bits: HQQ packs {', '.join(map(str, HQQ_BITS))}")
    _refuse_symmetric(quantization)
    try:
        import torch
        from hqq.core.quantize import BaseQuantizeConfig
        from hqq.core.quantize import Quantizer as Hqq
    except ImportError as error:
        raise Unavailable(f"hqq cannot be imported ({error}); pip install hqq==0.2.8.post1") from None

    def quantize(weight: np.ndarray) -> DecodedMatrix:
        size = quantization.group_size or weight.shape[1]
        settings = BaseQuantizeConfig(nbits=quantization.bits, group_size=size, axis=1)["weight_quant_params"]
        tensor = torch.from_numpy(weight)
        codes, meta = Hqq.quantize(tensor, **settings, compute_dtype=torch.float16, device="cpu")
        meta = {**meta, "scale": meta["scale"].half(), "zero": meta["zero"].half()}
        values = Hqq.dequantize(codes, {**meta, "compute_dtype": torch.float32}).numpy().astype(np.float32)
        bits = 8 * (codes.nbytes + meta["scale"].nbytes + meta["zero"].nbytes)
        return DecodedMatrix(values.reshape(weight.shape), bits / weight.size)

    return quantize


def torchao_quantizer(quantization: Quantization) -> Quantizer:
    """torchao's weight-only integers of 1 … 8 bits, symmetric or asymmetric.

    Raises:
        Unavailable: the library is missing.
    """
    try:
        import torch
        from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerAxis, PerGroup, quantize_
    except ImportError as error:
        raise Unavailable(f"torchao cannot be imported ({error}); pip install torchao") from None
    size = quantization.group_size
    settings = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{quantization.bits}"),
        granularity=PerGroup(size) if size else PerAxis(0),
        mapping_type=MappingType.SYMMETRIC if quantization.symmetric else MappingType.ASYMMETRIC,
        scale_dtype=torch.float16,
    )

    def quantize(weight: np.ndarray) -> DecodedMatrix:
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data = torch.from_numpy(weight)
        quantize_(layer, settings)
        # It keeps each code in a whole byte; packed tightly they need no more than this.
        zeros = 0 if quantization.symmetric else quantization.bits
        grid = layer.weight.scale.numel() * (16 + zeros)
        return DecodedMatrix(layer.weight.dequantize().float().numpy(), quantization.bits + grid / weight.size)

    return quantize


def bitsandbytes_quantizer(quantization: Quantization) -> Quantizer:
    """NormalFloat and float types of 4 bits in blocks that run over the rows, with a float32 scale per block.

    Raises:
        InputError: an unknown type, or a block size.
        Unavailable: the library is missing.
    """
    if quantization.type not in BITSANDBYTES_TYPES:
        raise InputError(f"type {quantization.type!r}: bitsandbytes has {', '.join(BITSANDBYTES_TYPES)}")
    _refuse_symmetric(quantization)
    try:
        import torch
        from bitsandbytes import functional
    except ImportError as error:
        raise Unavailable(f"bitsandbytes cannot be imported ({error}); pip install bitsandbytes") from None

    def quantize(weight: np.ndarray) -> DecodedMatrix:
        codes, state = functional.quantize_4bit(
            torch.from_numpy(weight), blocksize=BITSANDBYTES_BLOCK, quant_type=quantization.type
        )
        values = functional.dequantize_4bit(codes, state).float().numpy()
        bits = 8 * (codes.nbytes + state.absmax.nbytes)
        return DecodedMatrix(values.reshape(weight.shape), bits / weight.size)

    return quantize


def _refuse_symmetric(quantization: Quantization) -> None:
    if quantization.symmetric:
        raise InputError(f"symmetric: {quantization.method} has no such grid; leave it out")
