"""docs/recipes.md and docs/http.md: their examples print what the pages say."""

import functools
import re
import shutil
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from support.consoles import printed, type_in
from support.running import ROOT, radiod

JS = Path(__file__).parent / "js"
DRIVER = Path("/usr/bin/chromedriver")
SECONDS = 60
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("recipes.md", "http.md")}
SECTIONS = [
    (name, section)
    for name, page in PAGES.items()
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]
]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)

HAS_NODE = shutil.which("node") is not None and (JS / "node_modules" / "autobahn").is_dir()

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def servers(shared_world):
    """The radiod of each page, by the page's name."""

    @functools.cache
    def server(name):
        [config] = re.findall(r"```toml\n(.*?)```", PAGES[name], re.DOTALL)
        return shared_world.enter(radiod(shared_world.folder, config))

    return server


def title(value):
    return value.split("\n")[0]


@pytest.mark.parametrize(("page", "section"), SECTIONS, ids=title)
def test_examples_print_what_the_page_says(servers, page, section):
    blocks = BLOCK.findall(section)
    assert blocks
    server = servers(page)
    for (kind, text), (_, behind) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        text = text.replace(":8080", f":{server.port}")
        if kind == "console":
            type_in(text)
        elif kind == "js":
            if not HAS_NODE:
                pytest.skip("node or its packages are missing")
            # Node 20 has WebSocket behind a flag.
            assert printed(["node", "--experimental-websocket", "--no-warnings", "-e", text], JS) == behind
        elif kind == "python":
            assert printed([sys.executable, "-c", text], ROOT) == behind
        elif kind in OTHERS:
            assert printed_by(OTHERS[kind], text) == behind


OTHERS = {"r": ["Rscript", "-e"], "matlab": ["octave-cli", "--quiet", "--eval"]}
"""Languages that are not installed for the tests, but tried where they are."""


def printed_by(command, text):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no language: {command[0]} is not installed")
    return printed([*command, text], ROOT)


@pytest.mark.skipif(not DRIVER.is_file(), reason="chromedriver is not installed")
def test_the_event_source_of_a_browser_does_the_same(servers):
    [section] = [section for _, section in SECTIONS if section.startswith("JavaScript with EventSource")]
    [(_, console), (_, text), (_, said)] = BLOCK.findall(section)
    server = servers("http.md")
    type_in(console.replace(":8080", f":{server.port}"))
    options = webdriver.ChromeOptions()
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(one)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        driver.set_script_timeout(SECONDS)
        driver.get(f"{server.url}/healthz")
        run = "const [text, done] = arguments; new Function('console', text)({ log: done })"
        heard = driver.execute_async_script(run, text.replace(":8080", f":{server.port}"))
    finally:
        driver.quit()
    assert f"{{ wind: {heard['wind']} }}\n" == said
