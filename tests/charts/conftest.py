"""Every chart is drawn in the repository's style and closed after its test."""

import matplotlib.pyplot as plt
import pytest

from compressed_code.charts.style import use_style


@pytest.fixture(autouse=True)
def _style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")
