"""The documentation is true: generated pages are up to date, code blocks run, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINKING_PAGES = sorted([*PAGES, *(ROOT / "docs").glob("*/*.md")])
PATH_PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
"""Pages that say where things are."""

FEW_STEPS = 20
STRICT = """\
import warnings
from synthgan import SynthganWarning
warnings.simplefilter("error")
warnings.simplefilter("default", SynthganWarning)  # a model after a few steps supports conditions badly, and says so
"""


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_generated_pages_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    """All blocks of a page in one process, in order, with training cut short."""
    code = "\n".join(_blocks(page, "python"))
    assert ".fit(" not in code or 'effort="quick"' in code, "the page's fit must be one that this test can cut short"
    short = code.replace('effort="quick"', f"max_steps={FEW_STEPS}").replace(
        'load_adult("train")', 'load_adult("train").head(3000)'
    )
    shutil.copy(ROOT / "benchmarks" / "domains" / "adult.json", tmp_path / "public.json")
    script = tmp_path / "page.py"
    script.write_text(STRICT + short, encoding="utf-8")
    result = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_shell_block_of_the_readme_runs(tmp_path: Path, adult) -> None:
    adult.to_parquet(tmp_path / "data.parquet")
    (block,) = _blocks(ROOT / "README.md", "bash")
    lines = block.splitlines()
    assert len(lines) == 6
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "synthgan"
        if words[1] == "fit":
            words += ["--max-steps", str(FEW_STEPS)]
        result = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{line}\n{result.stderr}"
    assert (tmp_path / "synthetic.parquet").exists()
    assert (tmp_path / "seniors.csv").read_text(encoding="utf-8").count("\n") == 101


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "json")], ids=lambda page: page.name)
def test_json_blocks_follow_the_json_schema(page: Path) -> None:
    import json

    import jsonschema

    from synthgan.tables.schema.schema_file import JSON_SCHEMA

    text = page.read_text(encoding="utf-8")
    declared = [json.loads(block) for block in _blocks(page, "json")]
    rules = [json.loads(rule) for rule in re.findall(r"^\| `\w+` \| `(\{.*?\})` \|", text, flags=re.MULTILINE)]
    assert declared
    assert {rule["rule"] for rule in rules} == {"order", "sum", "combinations", "unique_key"}
    for content in [*declared, {"constraints": rules}]:
        jsonschema.validate(content, JSON_SCHEMA)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", LINKING_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """To files that are there, and to headings that they have."""
    for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            assert target.suffix == ".md", f"{link}#{anchor}"
            assert anchor in _anchors(target), f"{link}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_prose_exist(page: Path) -> None:
    """`make x` and `synthgan x` name targets and commands that there are."""
    from synthgan.cli.commands import group

    text = page.read_text(encoding="utf-8")
    code = "\n".join([*re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", code, flags=re.MULTILINE)) <= targets
    assert set(re.findall(r"^synthgan ([a-z]+)", code, flags=re.MULTILINE)) <= set(group.commands)


def _files() -> list[str]:
    """Files and folders of the repository that a page may name, as paths from its root."""
    folders = ("synthgan", "tests", "benchmarks", "scripts", "docs", "examples")
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return [f"/{path.relative_to(ROOT).as_posix()}{'/' if path.is_dir() else ''}" for path in [*ROOT.iterdir(), *below]]


@pytest.mark.parametrize("page", PATH_PAGES, ids=lambda page: page.name)
def test_paths_in_prose_exist(page: Path) -> None:
    """Files and folders that are named, by their path or the end of it, are there."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(
        [*re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL), *re.findall(r"`([^`\n]+)`", text)]
    )
    named = set(re.findall(r"(?<![\w./])(?:[\w-]+/)*(?:[\w-]+\.(?:py|toml|jinja|schema\.json)|[\w-]+/)(?![\w/])", code))
    assert len(named) > 40
    files = _files()
    assert sorted(name for name in named if not any(file.endswith(f"/{name}") for file in files)) == []
