"""The report's page in headless Chromium: players play, numbers open, columns sort, and nothing leaves the page."""

import importlib.util
import json
from pathlib import Path

import pytest

from bench.report.make import report, write


def _beside(name):
    told = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


chromium, pages = _beside("chromium"), _beside("pages")

if chromium.found() is None:
    pytest.skip("no Chromium on this machine: .ci/run installs Debian's", allow_module_level=True)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return write(report(str(pages.stored(folder)), [folder]), folder / "out", "html", [folder])[0]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium.Page(tmp_path_factory.mktemp("profile")) as page:
        yield page
        assert page.errors == []
        assert {address.partition(":")[0] for address in page.asked} <= {"file", "data", "blob"}
        assert page.js("window.alerted === undefined")


def test_a_number_opens_its_clips_and_escape_closes_them(page, paths):
    page.open(paths[0])
    page.js("document.querySelector('#tables button.cell').focus()")
    assert page.js("!document.getElementById('tip').hidden && document.getElementById('tip').textContent.includes('N 6')")
    page.key("Enter", 13, "\r")
    page.until("document.getElementById('clips').open")
    assert page.js("[...document.querySelectorAll('#clips h3')].map(h => h.textContent.split(':')[0])") == [
        "best",
        "median",
        "worst",
    ]
    assert page.js("document.querySelectorAll('#clips video, #clips audio').length") == 6
    assert page.js("document.querySelector('#clips code').textContent").startswith("bench run control=x")
    page.until("[...document.querySelectorAll('#clips .mel img')].every(i => i.complete && i.naturalWidth > 0)")
    page.key("Escape", 27)
    page.until("!document.getElementById('clips').open")
    assert page.js("document.activeElement.classList.contains('cell')")


def test_players_play_and_one_at_a_time(page, paths):
    page.open(paths[0])
    page.js("document.querySelector('#tables button.cell').click()")
    for n in (0, 1):  # the generated film, then the real sound
        page.js(f"document.querySelectorAll('#clips video, #clips audio')[{n}].play()")
        page.until(f"document.querySelectorAll('#clips video, #clips audio')[{n}].currentTime > 0.05")
    page.until("document.querySelectorAll('#clips video, #clips audio')[0].paused")
    page.js("document.querySelectorAll('#clips video, #clips audio')[0].loop = true")
    page.js("document.querySelectorAll('#clips video, #clips audio')[0].play()")
    page.until("document.querySelectorAll('#clips video, #clips audio')[1].paused")


def test_columns_sort_best_first_then_worst_then_as_written(page, paths):
    page.open(paths[0])
    head = "[...document.querySelectorAll('#tables table .sort')].find(b => b.textContent.startsWith('Onset ACC'))"
    first = "[...document.querySelectorAll('#tables table')[0].tBodies[0].rows].map(r => r.cells[0].textContent.split(' ')[0])"
    seen = [page.js(first)]
    for _ in range(3):
        page.js(f"{head}.click()")
        seen.append(page.js(first))
    assert seen == [["Mel-QCD", "none"], ["Mel-QCD", "none"], ["none", "Mel-QCD"], ["Mel-QCD", "none"]]
    page.js(f"{head}.click()")
    assert page.js(f"{head}.closest('th').getAttribute('aria-sort')") == "descending"


def test_two_systems_are_compared_clip_by_clip(page, paths):
    page.open(paths[0])
    told = page.js("document.getElementById('difference').textContent")
    assert "minus" in told
    assert "paired on 6 clips" in told
    assert page.js("document.querySelectorAll('#scatter circle').length") == 6
    forth = page.js("document.getElementById('difference').textContent.match(/= (-?[0-9.]+)/)[1]")
    swap = "for (const [name, value] of [['a', 1], ['b', 0]]) document.querySelector(`#compare [name=${name}]`).value = value;"
    page.js(f"{swap} document.querySelector('#compare [name=a]').dispatchEvent(new Event('change'))")
    back = page.js("document.getElementById('difference').textContent.match(/= (-?[0-9.]+)/)[1]")
    assert float(back) == -float(forth) != 0
    page.js("document.querySelector('#scatter circle').dispatchEvent(new MouseEvent('click'))")
    assert page.js("document.querySelectorAll('#clips .player').length") == 3


def test_the_clips_of_the_scatter_are_reached_and_opened_by_keys(page, paths):
    page.open(paths[0])
    assert page.js("document.querySelectorAll('#scatter .dot[tabindex=\"0\"]').length") == 1
    page.js("document.querySelector('#scatter .dot[tabindex=\"0\"]').focus()")
    page.key("ArrowLeft", 37)
    assert page.js("document.activeElement === [...document.querySelectorAll('#scatter .dot')].at(-1)")
    page.key("Enter", 13, "\r")
    page.until("document.getElementById('clips').open")
    page.key("Escape", 27)


def test_nothing_is_played_or_loaded_before_it_is_asked_for(page, paths):
    for path in paths:
        page.asked.clear()
        page.open(path)
        assert page.js("[...document.querySelectorAll('audio, video')].every(p => p.preload === 'none')")
        page.js("new Promise(done => setTimeout(done, 300))")
        assert not [a for a in page.asked if a.endswith((".mp4", ".ogg"))]
    page.open(paths[0])
    page.js("document.querySelector('#tables button.cell').click()")
    page.until("(i => i.poster && document.querySelector('#clips .mel img').complete)(document.querySelector('#clips video'))")


def test_a_check_says_on_focus_what_it_found(page, paths):
    page.open(paths[0])
    page.js("document.querySelector('.strip > li.bad summary').focus()")
    assert page.js("document.getElementById('tip').textContent").endswith("hints change the sound does not hold")


def test_long_names_wrap_and_lie_over_no_number(page, paths):
    for wide in (1400, 400):
        page.open(paths[0], wide=wide, high=800)
        page.js("document.querySelector('#tables th.name[scope=row]').append(' with many settings'.repeat(9))")
        assert page.js("[...document.querySelectorAll('th.name')].every(h => h.scrollWidth <= h.clientWidth)")


def test_a_table_that_goes_on_shows_an_edge_and_scrolls_by_itself(page, paths):
    page.open(paths[0], wide=400, high=800)
    wide = "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth)"
    assert page.js(f"{wide}.length") > 0
    assert page.js(f"{wide}.every(s => getComputedStyle(s).backgroundImage.includes('gradient') && s.tabIndex === 0)")


def test_the_mels_of_all_systems_stand_beside_each_other_and_play_by_key(page, paths):
    page.open(paths[0])
    assert page.js("[...document.querySelectorAll('#gallery .row > b')].map(b => b.textContent.split(' ')[0])") == [
        "truth",
        "Mel-QCD",
        "none",
    ]
    player = "document.querySelectorAll('#gallery .row')[1].querySelector('video, audio')"
    page.js(f"{player}.parentElement.querySelector('.mel').focus()")
    page.key("Enter", 13, "\r")
    page.until(f"{player}.currentTime > 0.05")
    assert page.js(f"{player}.parentElement.querySelectorAll('img').length") == 2  # the mel, and the hint over it


def test_hostile_names_run_nothing_and_are_shown_whole(page, paths):
    page.open(paths[0])
    page.js("window.alert = () => { window.alerted = true; }; document.querySelector('#tables button.cell').click()")
    assert pages.SCRIPT in page.js("document.querySelector('#tables th.name[scope=row]').textContent")
    assert page.js("document.querySelectorAll('#clips i, #tables i, #tables img').length") == 0
    shown = page.js("[...document.querySelectorAll('#clips h3')].map(h => h.textContent).join(' ')")
    assert pages.LABEL in shown


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_follows_the_theme(page, paths, dark):
    for path in paths:
        page.open(path, wide=400, high=800, dark=dark)
        assert page.js("document.documentElement.scrollWidth") <= 400
        assert page.js("document.documentElement.dataset.theme === undefined")
        assert (page.js("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)") is dark
    page.js("document.getElementById('theme').click(); document.getElementById('theme').click()")
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    page.js("document.getElementById('theme').click()")  # back to the system's


def test_blind_votes_are_kept_exported_and_read_back(page, paths, tmp_path):
    from bench.report.html import blind

    page.open(paths[1])
    page.js("localStorage.clear()")
    page.open(paths[1])
    assert not page.js("['Mel-QCD', 'none'].some(n => document.querySelector('main').textContent.includes(n))")
    page.key("1", 49, "1")
    page.js("document.querySelector('[data-vote=same]').click()")
    page.open(paths[1])
    assert page.js("document.getElementById('count').textContent").startswith("3 of ")  # a reload loses no vote
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(page.js("exported()")))
    votes = blind.read(path)
    assert sorted(v["choice"] == "same" for v in votes) == [False, True]
    page.js("document.getElementById('clear').click()")
    assert page.js("exported().votes.length") == 0
