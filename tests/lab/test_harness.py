"""The harness itself: cells run, widgets are drawn, and what goes wrong in the page is seen."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

WIDGET = """
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = '''
    function render({model, el}) {
      const button = document.createElement("button");
      button.textContent = "more";
      button.onclick = () => model.send({kind: "more"});
      model.on("msg:custom", message => { button.textContent = `now ${message.count}`; });
      el.append(button);
    }
    export default {render};
    '''
counter, count = Counter(), [0]
def more(_, message, buffers):
    count[0] += 1
    counter.send({"count": count[0]})
counter.on_msg(more)
counter
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_cells_run_and_a_widget_answers(open_page, dark, pictures):
    page = open_page(["print(6 * 7)", WIDGET], dark=dark)
    page.run_all()
    assert page.text(0).strip() == "42"
    page.output(1).get_by_role("button", name="more").click()
    page.output(1).get_by_role("button", name="now 1").wait_for()
    assert page.ask("print(count)").strip() == "[1]"
    page.run(0, source="print('again')")
    assert page.text(0).strip() == "again"
    assert page.screenshot(pictures / f"harness-{dark}.png").stat().st_size > 10_000


def test_an_error_in_the_page_is_seen(open_page):
    page = open_page(["1"])
    with page.page.expect_event("pageerror"):
        page.page.evaluate("() => { console.error('wrong here'); setTimeout(() => { throw new Error('raised here'); }); }")
    told, raised = page.errors
    page.errors.clear()
    assert "wrong here" in told
    assert "raised here" in raised


def test_a_kernel_that_restarts_forgets(open_page):
    page = open_page(["here = 1"])
    page.run_all()
    page.restart_kernel()
    assert page.ask("print('here' in globals())").strip() == "False"
