"""The app as a whole: it costs nothing to import, its pages are there, its colours are the figures' colours."""

import re
import subprocess
import sys
from dataclasses import fields

import pytest

from energy_sim.figures.theme import THEMES, contrast


@pytest.fixture(scope="module")
def variables(root):
    """Theme name -> the --kf-* variables that assets/theme.css gives it."""
    text = re.sub(r"/\*.*?\*/", "", (root / "assets" / "theme.css").read_text(), flags=re.DOTALL)
    found = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        for theme in ("dark", "light"):
            if f"[data-theme='{theme}']" in selector and "--kf-bg" in body:
                found[theme] = dict(re.findall(r"--kf-([a-z-]+):\s*(#[0-9a-f]{6})", body))
    return found


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_page_has_the_colours_of_the_figures(variables, name):
    theme = THEMES[name]
    expected = {f.name.rstrip("_").replace("_", "-"): getattr(theme, f.name) for f in fields(theme)}
    assert len(expected) == 19
    assert {key: variables[name][key] for key in expected} == expected


@pytest.mark.parametrize("name", ["dark", "light"])
def test_text_of_the_page_has_contrast_4_5_on_every_ground_it_stands_on(variables, name):
    v = variables[name]
    for ink in ("ink", "muted"):
        for ground in ("bg", "panel", "raised"):
            assert contrast(v[ink], v[ground]) >= 4.5, (ink, ground)
    assert contrast(v["on-accent"], v["accent"]) >= 4.5
    assert contrast(v["bg"], v["ink"]) >= 4.5  # messages
    assert contrast(v["accent"], v["panel"]) >= 3
    assert contrast(v["idle"], v["panel"]) >= 3
    assert contrast(v["unmet"], v["panel"]) >= 3


def test_importing_the_app_opens_nothing_and_writes_nothing(root, tmp_path):
    code = (
        "import sys, app; "
        "assert 'server' not in vars(app); "
        "print(len([m for m in sys.modules if m.startswith('energy_sim')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
    assert list(tmp_path.iterdir()) == []
