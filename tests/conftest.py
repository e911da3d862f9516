"""What several test modules share: real tables, a GPU, a small fitted model."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import pandas as pd

    from synthgan import Synthesizer
    from tests.reviewed_models import ReviewedModel

# Before torch is imported: spinning OpenMP threads make the suite several times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tables are small here: a second thread costs more than it brings, most of all beside other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Examples may take any time on a busy machine; the suite's own timeout catches what hangs.
settings.register_profile("synthgan", deadline=None)
settings.load_profile("synthgan")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the development tables, which are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development tables (../shared/data) are not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def adult() -> pd.DataFrame:
    """The first 1,000 training rows of the bundled table. Copy before changing it."""
    from synthgan.datasets import load_adult

    return load_adult("train").head(1000)


@pytest.fixture(scope="session")
def fitted(adult: pd.DataFrame) -> Synthesizer:
    """A synthesizer after a few steps on 1,000 rows of Adult: good for contracts, not for quality."""
    from synthgan import Synthesizer

    return Synthesizer(target="income", max_steps=20, random_state=0, device="cpu", progress="off").fit(adult)


@pytest.fixture(scope="session")
def model_file(fitted: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `fitted`. Copy before changing it."""
    path = tmp_path_factory.mktemp("model") / "adult.synthgan"
    fitted.save(path)
    return path


@pytest.fixture(scope="session")
def open_release(tmp_path_factory: pytest.TempPathFactory) -> ReviewedModel:
    """A model without a guarantee and its table, fitted with a holdout. Copy before changing a file."""
    from tests.reviewed_models import open_model

    return open_model(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="session")
def private_release(tmp_path_factory: pytest.TempPathFactory) -> ReviewedModel:
    """A private model and its table, fitted with a holdout. Copy before changing a file."""
    from tests.reviewed_models import private_model

    return private_model(tmp_path_factory.mktemp("private"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip GPU tests by name where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    if importlib.util.find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
