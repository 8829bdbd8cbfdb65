"""The style sheet of everything one touches in a notebook: the studio's tabs, the softphone. All of it is scoped to `.pnb-ui`.

An element of that class carries the colours and the font; `.pnb-surface` on it paints a surface of its own, with a border, so
that it is readable on any page. What changes takes its room beforehand: nothing below it may jump.
"""

from __future__ import annotations

from patter_nb.notebook.theme import CSS_FONTS, css_variables

CODE_FONTS = 'var(--jp-code-font-family, ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace)'

_LIGHT, _DARK = css_variables(dark=False), css_variables(dark=True)

_THEMES = f"""
.pnb-ui{{{_LIGHT}color-scheme:light}}
@media (prefers-color-scheme:dark){{.pnb-ui{{{_DARK}color-scheme:dark}}}}
[data-jp-theme-light="true"] .pnb-ui,.vscode-light .pnb-ui,[theme="light"] .pnb-ui{{{_LIGHT}color-scheme:light}}
[data-jp-theme-light="false"] .pnb-ui,.vscode-dark .pnb-ui,[theme="dark"] .pnb-ui{{{_DARK}color-scheme:dark}}
"""
"""The page's own word (JupyterLab, VS Code, Colab) goes before the reader's system setting."""

_TEXT = f"""
.pnb-ui{{box-sizing:border-box;color:var(--pnb-ink);font:13px/1.5 {CSS_FONTS};text-align:left;
font-variant-numeric:tabular-nums;--pnb-focus:var(--pnb-stt-final)}}
.pnb-ui *,.pnb-ui *::before,.pnb-ui *::after{{box-sizing:border-box}}
.pnb-ui.pnb-surface{{max-width:1080px;border:1px solid var(--pnb-line);border-radius:8px;background:var(--pnb-surface)}}
.pnb-ui p{{margin:0}}
.pnb-ui h3,.pnb-ui h4{{margin:0;color:inherit;font-size:12px;line-height:1.5;font-weight:600;letter-spacing:0}}
.pnb-ui h3{{font-size:13px}}
.pnb-ui [hidden]{{display:none!important}}
.pnb-ui code,.pnb-ui .pnb-code{{padding:0;background:none;color:inherit;font-family:{CODE_FONTS};font-size:12px}}
.pnb-ui .pnb-muted{{color:var(--pnb-muted)}}
.pnb-ui .pnb-small{{font-size:12px}}
.pnb-ui .pnb-good{{color:var(--pnb-good)}}
.pnb-ui .pnb-bad{{color:var(--pnb-error)}}
.pnb-ui .pnb-accent{{color:var(--pnb-accent)}}
.pnb-ui .pnb-strong{{font-weight:600}}
.pnb-ui .pnb-clip{{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;min-width:0}}
.pnb-ui .pnb-unseen{{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}}
.pnb-ui a{{color:var(--pnb-focus)}}
"""

_LAYOUT = """
.pnb-ui .pnb-stack{display:flex;flex-direction:column;gap:12px;min-width:0}
.pnb-ui .pnb-tight{gap:6px}
.pnb-ui .pnb-row{display:flex;flex-wrap:wrap;align-items:center;gap:8px;min-width:0}
.pnb-ui .pnb-baseline{align-items:baseline}
.pnb-ui .pnb-row>.pnb-push,.pnb-ui .pnb-row>button.pnb-push{margin-left:auto}
.pnb-ui .pnb-grow{flex:1 1 0;min-width:0}
.pnb-ui .pnb-columns{display:flex;flex-wrap:wrap;gap:20px 24px;align-items:flex-start}
.pnb-ui .pnb-wide{flex:1 1 440px;min-width:0}
.pnb-ui .pnb-narrow{flex:0 1 280px;min-width:240px}
.pnb-ui .pnb-grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));gap:12px 16px;align-items:start}
.pnb-ui .pnb-body{padding:16px}
.pnb-ui .pnb-rule{border:0;border-top:1px solid var(--pnb-line);margin:0;width:100%}
.pnb-ui details>summary{cursor:pointer;font-size:12px;font-weight:600;padding:2px 0}
.pnb-ui details[open]>summary{margin-bottom:8px}
"""

_BUTTONS = """
.pnb-ui button.pnb-button{appearance:none;display:inline-flex;align-items:center;justify-content:center;gap:6px;min-height:30px;
margin:0;padding:4px 12px;border:1px solid var(--pnb-line);border-radius:6px;background:var(--pnb-surface);color:var(--pnb-ink);
font:inherit;font-weight:500;line-height:20px;white-space:nowrap;cursor:pointer}
.pnb-ui button.pnb-button:hover:not(:disabled){background:var(--pnb-raised);border-color:var(--pnb-muted)}
.pnb-ui button.pnb-button:disabled{color:var(--pnb-muted);opacity:.55;cursor:default}
.pnb-ui button.pnb-primary{border-color:var(--pnb-agent);background:var(--pnb-agent);color:var(--pnb-surface)}
.pnb-ui button.pnb-primary:hover:not(:disabled){border-color:var(--pnb-ink);background:var(--pnb-ink);color:var(--pnb-surface)}
.pnb-ui button.pnb-primary:disabled{border-color:var(--pnb-line);background:var(--pnb-raised);color:var(--pnb-muted);opacity:1}
.pnb-ui button.pnb-quiet{border-color:transparent;background:none;color:var(--pnb-muted)}
.pnb-ui button.pnb-quiet:hover:not(:disabled){color:var(--pnb-ink)}
.pnb-ui button.pnb-danger{border-color:currentColor;color:var(--pnb-error)}
.pnb-ui button.pnb-little{min-height:24px;padding:1px 8px;font-size:12px}
.pnb-ui button.pnb-button[aria-pressed="true"]{border-color:var(--pnb-agent);background:var(--pnb-raised)}
.pnb-ui :is(button,input,textarea,select,summary,[tabindex]):focus-visible{outline:2px solid var(--pnb-focus);outline-offset:1px}
.pnb-ui .pnb-switch{appearance:none;position:relative;flex:none;width:32px;height:18px;margin:0;border:1px solid var(--pnb-muted);
border-radius:9px;background:var(--pnb-raised);cursor:pointer}
.pnb-ui .pnb-switch::before{content:"";position:absolute;top:2px;left:2px;width:12px;height:12px;border-radius:6px;
background:var(--pnb-muted)}
.pnb-ui .pnb-switch:checked{border-color:var(--pnb-good);background:var(--pnb-good)}
.pnb-ui .pnb-switch:checked::before{left:16px;background:var(--pnb-surface)}
.pnb-ui .pnb-switch:disabled{opacity:.5;cursor:default}
"""

_FIELDS = f"""
.pnb-ui .pnb-field{{display:flex;flex-direction:column;gap:4px;min-width:0}}
.pnb-ui .pnb-label{{display:flex;flex-wrap:wrap;align-items:baseline;gap:2px 8px;color:var(--pnb-ink);font-size:12px;
font-weight:600}}
.pnb-ui .pnb-label:has(>.pnb-switch){{align-items:center;min-height:30px}}
.pnb-ui .pnb-when{{color:var(--pnb-muted);font-size:11px;font-weight:400}}
.pnb-ui :is(input.pnb-input,textarea.pnb-input,select.pnb-input){{width:100%;min-width:0;min-height:30px;margin:0;padding:4px 8px;
border:1px solid var(--pnb-line);border-radius:6px;background:var(--pnb-surface);color:var(--pnb-ink);font:inherit;
line-height:20px}}
.pnb-ui textarea.pnb-input{{resize:vertical}}
.pnb-ui .pnb-input.pnb-code{{font-family:{CODE_FONTS};font-size:12px}}
.pnb-ui .pnb-input:hover:not(:disabled){{border-color:var(--pnb-muted)}}
.pnb-ui .pnb-input:disabled{{background:var(--pnb-raised);color:var(--pnb-muted)}}
.pnb-ui .pnb-input::placeholder{{color:var(--pnb-muted);opacity:1}}
.pnb-ui .pnb-input[aria-invalid="true"]{{border-color:var(--pnb-error)}}
.pnb-ui .pnb-changed>.pnb-label::after{{content:"unsaved";padding:0 6px;border-radius:8px;background:var(--pnb-raised);
color:var(--pnb-accent);font-size:11px;font-weight:500}}
.pnb-ui .pnb-wrong{{color:var(--pnb-error);font-size:12px}}
"""

_SIGNS = """
.pnb-ui .pnb-chip{display:inline-flex;align-items:center;gap:4px;max-width:100%;padding:0 8px;border:1px solid var(--pnb-line);
border-radius:10px;background:var(--pnb-raised);color:var(--pnb-ink);font-size:12px;line-height:20px;overflow-wrap:anywhere}
.pnb-ui .pnb-chip button{appearance:none;margin:0 -4px 0 0;padding:0 3px;border:0;border-radius:8px;background:none;
color:var(--pnb-muted);font:inherit;line-height:18px;cursor:pointer}
.pnb-ui .pnb-chip button:hover{color:var(--pnb-ink)}
.pnb-ui .pnb-badge{display:inline-flex;align-items:center;gap:6px;padding:0 8px;border:1px solid currentColor;border-radius:9px;
color:var(--pnb-muted);font-size:11px;line-height:17px;white-space:nowrap}
.pnb-ui .pnb-badge.pnb-good{color:var(--pnb-good)}
.pnb-ui .pnb-badge.pnb-bad{color:var(--pnb-error)}
.pnb-ui .pnb-badge.pnb-accent{color:var(--pnb-accent)}
.pnb-ui .pnb-dot{flex:none;width:8px;height:8px;border-radius:4px;background:currentColor}
.pnb-ui .pnb-dot.pnb-hollow{background:none;border:1.5px solid currentColor}
.pnb-ui .pnb-note,.pnb-ui .pnb-error,.pnb-ui .pnb-warning{padding:8px 12px;border-left:3px solid var(--pnb-muted);
border-radius:0 6px 6px 0;background:var(--pnb-raised);color:var(--pnb-ink);font-size:12px;overflow-wrap:anywhere}
.pnb-ui .pnb-error{border-left-color:var(--pnb-error)}
.pnb-ui .pnb-warning{border-left-color:var(--pnb-accent)}
.pnb-ui .pnb-empty{display:flex;flex-direction:column;align-items:center;gap:8px;padding:32px 24px;text-align:center;
color:var(--pnb-muted)}
.pnb-ui .pnb-empty h3{color:var(--pnb-ink)}
.pnb-ui .pnb-empty p{max-width:460px}
.pnb-ui .pnb-empty pre,.pnb-ui pre.pnb-pre{margin:0;padding:8px 12px;border-radius:6px;background:var(--pnb-raised);
color:var(--pnb-ink);text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;max-width:100%}
.pnb-ui .pnb-panel{padding:12px;border:1px solid var(--pnb-line);border-radius:8px}
"""

# JupyterLab stripes tables and tightens their lines with rules of its own, which these have to outweigh.
_TABLES = """
.pnb-ui table.pnb-table{width:100%;margin:0;border:none;border-collapse:collapse;table-layout:auto;font-size:12px;
line-height:1.45}
.pnb-ui table.pnb-table :is(thead,tbody tr,tbody tr:hover){background:none;color:inherit}
.pnb-ui table.pnb-table :is(th,td){padding:4px 0 4px 12px;border:none;text-align:right;vertical-align:baseline;font-weight:400;
white-space:nowrap;max-width:none;line-height:inherit}
.pnb-ui table.pnb-table :is(th,td):first-child{padding-left:0}
.pnb-ui table.pnb-table thead th{color:var(--pnb-muted);font-size:11px;border-bottom:1px solid var(--pnb-line)}
.pnb-ui table.pnb-table tbody tr+tr td{border-top:1px solid var(--pnb-raised)}
.pnb-ui table.pnb-table :is(th,td).pnb-left{text-align:left}
.pnb-ui table.pnb-table :is(th,td).pnb-words{text-align:left;white-space:normal;overflow-wrap:anywhere;width:100%}
.pnb-ui table.pnb-table tbody tr.pnb-picked,.pnb-ui table.pnb-table tbody tr.pnb-picked:hover{background:var(--pnb-raised)}
.pnb-ui table.pnb-table tbody tr[tabindex]{cursor:pointer}
.pnb-ui .pnb-scroll{overflow:auto;max-width:100%}
.pnb-ui .pnb-diff{font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}
.pnb-ui .pnb-diff .pnb-gone{color:var(--pnb-error)}
.pnb-ui .pnb-diff .pnb-come{color:var(--pnb-good)}
"""

# The tabs are ipywidgets' own (they change without a kernel); its rules are outweighed here.
_TABS = f"""
.pnb-ui .pnb-tabs .lm-TabBar-tab{{font-family:{CSS_FONTS}}}
.pnb-ui.jupyter-widgets,.pnb-ui .jupyter-widgets{{margin:0;overflow:visible}}
.pnb-ui.jupyter-widgets-disconnected::before,.pnb-ui .jupyter-widgets-disconnected::before{{display:none!important}}
.pnb-ui .pnb-tabs.widget-tab{{margin:0;width:auto}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar{{overflow:visible;min-height:0;padding:0 12px;border:0;
border-bottom:1px solid var(--pnb-line);background:none}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar .lm-TabBar-tab{{flex:0 0 auto;min-width:0;max-width:none;height:auto;min-height:0;
margin:0 0 -1px;padding:8px 12px;border:0;border-bottom:2px solid transparent;background:none;color:var(--pnb-muted);
font-size:13px;line-height:20px;transform:none;cursor:pointer}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar .lm-TabBar-tab:hover{{background:none;color:var(--pnb-ink)}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar .lm-TabBar-tab.lm-mod-current{{min-height:0;border-bottom-color:var(--pnb-ink);
background:none;color:var(--pnb-ink);font-weight:600;transform:none}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar .lm-TabBar-tab::before{{display:none}}
.pnb-ui .pnb-tabs.widget-tab>.lm-TabBar .lm-TabBar-tab:focus-visible{{outline:2px solid var(--pnb-focus);outline-offset:-3px}}
.pnb-ui .pnb-tabs.widget-tab>.widget-tab-contents{{padding:0;border:0;background:none;overflow:visible}}
"""

STUDIO_STYLE = "".join(
    line for sheet in (_THEMES, _TEXT, _LAYOUT, _BUTTONS, _FIELDS, _SIGNS, _TABLES, _TABS) for line in sheet.splitlines()
)
