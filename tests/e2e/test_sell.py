"""docs/sell.md, from the first command to the last; and the customer's page in a browser."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from support.consoles import type_in
from support.running import ROOT

PAGE = (ROOT / "docs" / "sell.md").read_text()
BIN = Path(sys.executable).parent
DRIVER = Path("/usr/bin/chromedriver")
SECONDS = 20

pytestmark = pytest.mark.e2e


@pytest.fixture
def seller(world):
    """A radiod as the page has it, and what its commands need to find it."""
    [config] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    server = world.serve(config, base="")
    file = server.log.with_suffix(".toml")
    variables = {"RADIOCTL_CONFIG": str(file), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return server, variables


def test_the_page_does_what_it_says(seller):
    server, variables = seller
    consoles = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    assert len(consoles) > 7
    real = {}
    for console in consoles:
        type_in(console.replace(":8080", f":{server.port}"), real, variables)


def radioctl(variables, *words):
    command = [str(BIN / "radioctl"), *words]
    ended = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout


@pytest.mark.skipif(not DRIVER.is_file(), reason="chromedriver is not installed")
def test_a_customer_sees_its_account_and_rotates_its_key_in_a_browser(seller):
    server, variables = seller
    radioctl(variables, "plan", "set", "basic", "deliver_month=1000", "connections=5", "self_rotate=true")
    radioctl(variables, "account", "set", "acme", "--plan", "basic", "--label", "ACME Ltd")
    issued = radioctl(variables, "key", "issue", "--account", "acme", "--listen", "weather.*")
    [secret] = re.findall(r"rdk_\w+", issued)
    options = webdriver.ChromeOptions()
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        wait = WebDriverWait(driver, SECONDS)
        driver.get(f"{server.url}/account")

        def text(id):
            return driver.find_element(By.ID, id).text

        def enter(key):
            driver.find_element(By.ID, "key").send_keys(key)
            driver.find_element(By.CSS_SELECTOR, "#ask button").click()

        enter("rdk_nonsense")
        wait.until(lambda _: text("problem") == "API-KEY not valid")
        enter(secret)
        wait.until(lambda _: text("who") == "acme")
        assert text("plan") == "basic"
        assert "Delivered a month 1,000 0 1,000" in text("limits")
        assert text("problem") == ""
        assert secret[-4:] in text("keys")
        driver.find_element(By.ID, "rotate").click()
        wait.until(lambda _: text("secret").startswith("rdk_"))
        new = text("secret")
        wait.until(lambda _: new[-4:] in text("keys"))
        driver.find_element(By.ID, "forget").click()
        wait.until(lambda _: text("who") == "")
        assert new not in driver.page_source
        stored = driver.execute_script("return [localStorage.length, sessionStorage.length, document.cookie]")
        assert stored == [0, 0, ""]
        enter(new)
        wait.until(lambda _: text("who") == "acme")
        refused = [line for line in driver.get_log("browser") if "Content Security Policy" in line["message"]]
        assert refused == []
    finally:
        driver.quit()
