"""Pages of whoever runs the server: which files are served, as what, and what is refused when it starts."""

import pytest
from support import http
from support.http import Answer

from radiod.checking import checked
from radiod.config import ConfigError
from radiod.web import folder
from radiod.web.folder import FolderError, read_folder


@pytest.fixture
def pages(tmp_path):
    pages = tmp_path / "pages"
    (pages / "chat" / "parts").mkdir(parents=True)
    (pages / "index.html").write_text("<p>the first page")
    (pages / "chat" / "index.html").write_text("<p>chat")
    (pages / "chat" / "parts" / "a b.js").write_text("export {}")
    (pages / "photo.png").write_bytes(b"png")
    (pages / ".git").mkdir()
    (pages / ".git" / "config").write_text("hidden")
    (pages / ".htpasswd").write_text("hidden")
    return pages


@pytest.fixture
def site(world, pages):
    world.start(f'[http]\npages = "{pages}"')
    return lambda path, method="GET": Answer(world.ask(http.request(method, path)).received())


@pytest.mark.parametrize(
    ("path", "content", "type_"),
    [
        ("/pages/", b"<p>the first page", "text/html; charset=utf-8"),
        ("/pages/index.html", b"<p>the first page", "text/html; charset=utf-8"),
        ("/pages/chat/", b"<p>chat", "text/html; charset=utf-8"),
        ("/pages/chat/parts/a%20b.js", b"export {}", "text/javascript; charset=utf-8"),
        ("/pages/photo.png", b"png", "image/png"),
    ],
)
def test_files_and_their_types(site, path, content, type_):
    answer = site(path)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, content, type_)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_asks_for_the_head(site):
    answer = site("/pages/", "HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "17")


@pytest.mark.parametrize(("path", "to"), [("/pages", "pages/"), ("/pages/chat", "chat/")])
def test_a_page_without_its_slash_is_elsewhere(site, path, to):
    answer = site(path)
    assert (answer.status, answer.headers["Location"]) == (308, to)


@pytest.mark.parametrize(
    "path",
    [
        "/pages/.htpasswd",
        "/pages/.git/config",
        "/pages/../pages/photo.png",
        "/pages/%2e%2e/pages/photo.png",
        "/pages/chat/parts/",
        "/pages/chat/parts/a b.js".replace(" ", "+"),
        "/pages//photo.png",
        "/pages/photo.png/",
        "/pages/none",
    ],
)
def test_nothing_else_is_there(site, path):
    assert site(path).status == 404


def test_only_reading(site):
    assert site("/pages/", "POST").status == 405


def test_what_is_changed_later_is_served_after_a_restart(site, pages):
    (pages / "index.html").write_text("another")
    (pages / "photo.png").unlink()
    assert site("/pages/").body == b"<p>the first page"
    assert site("/pages/photo.png").status == 200


def test_without_a_folder_there_is_no_path(world):
    world.start()
    for path in ("/pages", "/pages/", "/pages/index.html"):
        assert Answer(world.ask(http.get(path)).received()).status == 404


class TestRefused:
    def test_no_folder(self, tmp_path):
        with pytest.raises(FolderError, match="missing: No such file or directory"):
            read_folder(tmp_path / "missing")

    def test_a_link_that_leads_out(self, pages, tmp_path):
        (tmp_path / "secret").write_text("secret")
        (pages / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(FolderError, match="link: leads out of"):
            read_folder(pages)

    def test_a_link_inside_is_fine(self, pages):
        (pages / "link.png").symlink_to(pages / "photo.png")
        assert read_folder(pages)["/pages/link.png"].content == b"png"

    def test_what_is_no_file_is_not_looked_at(self, pages):
        (pages / "gone").symlink_to(pages / "nowhere")
        assert "/pages/gone" not in read_folder(pages)

    def test_a_link_to_a_folder(self, pages):
        (pages / "more").symlink_to(pages / "chat")
        with pytest.raises(FolderError, match="more: a link to a folder is not followed"):
            read_folder(pages)

    def test_a_file_that_cannot_be_read(self, pages, monkeypatch):
        def refuse(file, mode):
            raise PermissionError(13, "Permission denied", str(file))

        monkeypatch.setattr("pathlib.Path.open", refuse)
        with pytest.raises(FolderError, match=r"index\.html: Permission denied"):
            read_folder(pages)

    def test_too_many(self, pages, monkeypatch):
        monkeypatch.setattr(folder, "MOST_FILES", 3)
        with pytest.raises(FolderError, match="more than 3 files"):
            read_folder(pages)

    def test_too_much(self, pages, monkeypatch):
        monkeypatch.setattr(folder, "MOST_BYTES", 20)
        with pytest.raises(FolderError, match="more than 0 MiB"):
            read_folder(pages)

    def test_too_large(self, pages, monkeypatch):
        monkeypatch.setattr(folder, "MOST_OF_ONE", 10)
        with pytest.raises(FolderError, match=r"index\.html: it has more than 0 MiB"):
            read_folder(pages)

    def test_no_more_is_read_than_can_be_served(self, pages):
        with (pages / "huge").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(FolderError, match=r"huge: it has more than 1 MiB"):
            read_folder(pages)

    def test_is_told_with_the_key(self, tmp_path):
        file = tmp_path / "radiod.toml"
        file.write_text('[http]\npages = "missing"')
        with pytest.raises(ConfigError, match=r"radiod\.toml: http\.pages: .*/missing: No such file"):
            checked(file)
