"""Under which settings the notebooks run again, and what makes the longest of them short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Setting:
    """A way to run the notebooks otherwise.

    Attributes:
        name: of its folder and in tables.
        environment: variables that libraries read when they are loaded; then everything is computed anew.
        parameters: values for the notebooks that have such a parameter; others are not run.
        needs: instruction sets without which it would stop or change nothing.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: Sequence[str] = ()

    @property
    def threads(self) -> int:
        """Threads of each notebook's products."""
        return int(self.environment.get("OMP_NUM_THREADS", "1"))

    @property
    def imitates_a_machine(self) -> bool:
        """Whether numbers ought to stay as they are: nothing but the arithmetic is another."""
        return bool(self.environment)


# What each variable moves was tried: ATEN_CPU_CAPABILITY all that torch computes by itself, MKL_CBWR its products and
# Cholesky, ONEDNN_MAX_CPU_ISA gelu, OPENBLAS_CORETYPE numpy's products, NPY_DISABLE_CPU_FEATURES numpy's exp, threads
# Cholesky and numpy's products.
# As on a processor without AVX. MKL's own COMPATIBLE would take four times as long for products in float64; what is
# computed in float64 has the same bytes under it too (tests/models/test_precision.py).
WITHOUT_AVX = Setting(
    "without-avx",
    environment={
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "SSE4_2",
        "NPY_DISABLE_CPU_FEATURES": "SSSE3 SSE41 POPCNT SSE42 AVX F16C FMA3 AVX2 AVX512F AVX512CD AVX512_SKX"
        " AVX512_CLX AVX512_CNL AVX512_ICL",
        "OMP_NUM_THREADS": "1",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Prescott",
    },
)
SETTINGS = (
    Setting("seeds", parameters={"seed": 1}),  # of the bootstrap
    Setting("draws", parameters={"draws": [3, 4, 5]}),  # of the calibration text
    WITHOUT_AVX,
    # Another order of summation: sums in two parts, products by another path of MKL.
    Setting("threads", environment={"MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "2"}, needs=("avx2",)),
)

# Values of parameters cells that make the longest notebooks short: their tests run them so.
REDUCED: Mapping[str, Mapping[str, Any]] = {
    "03-quantization.ipynb": {
        "rounding": ["rtn-8-g32", "rtn-4-g32", "rtn-3-g32", "rtn-2-g32"],
        "gptq": ["gptq-3-g32"],
        "libraries": [],
        "texts": [],
        "draws": [0],
        "gguf": ["gguf-q8_0"],
        "gguf_four": ["gguf-q4_k_m"],
        "gguf_low": ["gguf-q2_k"],
        "hqq": ["hqq-3-g32"],
        "others": [],
        "groups": ["rtn-3-rows"],
        "trained_again": ["rtn-3-rows"],
    },
    "06-code-generation.ipynb": {
        "quantized": ["rtn-4-g32", "rtn-3-g32", "rtn-2-g32", "gguf-q8_0"],
        "draws": [0],
        "sampled": {"zoo-xs": "zoo-s-long"},
        "sampled_quantized": [],
        "samples": 2,
        "noisy": "zoo-xs",
    },
}

# The short form: the two notebooks that rest most on arithmetic, shorter still, on another machine and with another
# draw of what was drawn once.
SHORT_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "03-quantization.ipynb": {
        **REDUCED["03-quantization.ipynb"],
        "rounding": ["rtn-4-g32", "rtn-3-g32"],
        "gguf": [],
        "hqq": [],
        "groups": [],
        "trained_again": [],
    },
    "06-code-generation.ipynb": {
        **REDUCED["06-code-generation.ipynb"],
        "models": ["zoo-xs", "zoo-l"],
        "quantized": ["rtn-3-g32", "gptq-3-g32"],
        "sampled": {},
        "general": "zoo-xs",
    },
}
SHORT_SETTINGS = (WITHOUT_AVX, Setting("another draw", parameters={"draws": [3], "seed": 1}))
