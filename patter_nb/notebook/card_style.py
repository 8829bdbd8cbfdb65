"""The card's style sheet. All of it is scoped to `.pnb-card`, and the card paints its own surface: readable on any page."""

from __future__ import annotations

from patter_nb.notebook.theme import CSS_FONTS, css_variables

_LIGHT, _DARK = css_variables(dark=False), css_variables(dark=True)

_THEMES = f"""
.pnb-card{{{_LIGHT}color-scheme:light}}
@media (prefers-color-scheme:dark){{.pnb-card{{{_DARK}color-scheme:dark}}}}
[data-jp-theme-light="true"] .pnb-card,.vscode-light .pnb-card,[theme="light"] .pnb-card{{{_LIGHT}color-scheme:light}}
[data-jp-theme-light="false"] .pnb-card,.vscode-dark .pnb-card,[theme="dark"] .pnb-card{{{_DARK}color-scheme:dark}}
"""
"""The page's own word (JupyterLab, VS Code, Colab) goes before the reader's system setting."""

_LAYOUT = f"""
.pnb-card{{box-sizing:border-box;max-width:920px;margin:4px 0;padding:16px 19px 18px;
border:1px solid var(--pnb-line);border-radius:8px;
background:var(--pnb-surface);color:var(--pnb-ink);font:13px/1.5 {CSS_FONTS};text-align:left;font-variant-numeric:tabular-nums}}
.pnb-card p{{margin:6px 0 0;color:inherit}}
.pnb-card .pnb-head{{display:flex;flex-wrap:wrap;align-items:baseline;gap:2px 10px}}
.pnb-card .pnb-name{{font-size:16px;font-weight:600}}
.pnb-card .pnb-state{{
padding:0 8px;border:1px solid currentColor;border-radius:9px;font-size:11px;line-height:17px;color:var(--pnb-muted)}}
.pnb-card .pnb-running{{color:var(--pnb-good)}}
.pnb-card .pnb-unanswered{{color:var(--pnb-accent)}}
.pnb-card .pnb-failed,.pnb-card .pnb-error{{color:var(--pnb-error)}}
.pnb-card .pnb-muted{{color:var(--pnb-muted)}}
.pnb-card .pnb-when{{margin-left:auto;color:var(--pnb-muted);font-size:12px}}
.pnb-card .pnb-note{{color:var(--pnb-muted);font-size:12px;margin-top:2px}}
.pnb-card audio{{display:block;width:100%;height:36px;margin-top:12px}}
.pnb-card .pnb-ears{{color:var(--pnb-muted);font-size:11px;margin-top:3px}}
.pnb-card .pnb-figure{{margin-top:18px;overflow-x:auto}}
.pnb-card svg{{display:block;max-width:100%;min-width:720px;height:auto;font-family:{CSS_FONTS}}}
.pnb-card .pnb-tables{{display:flex;flex-wrap:wrap;align-items:flex-start;gap:20px 36px;margin-top:22px}}
.pnb-card .pnb-latency{{flex:1 1 430px}}
.pnb-card .pnb-cost{{flex:1 1 300px;max-width:440px}}
"""

# JupyterLab stripes tables and tightens their lines with rules of its own, which these have to outweigh.
_TABLES = """
.pnb-card table thead,.pnb-card table tbody tr:nth-child(n),.pnb-card table tbody tr:nth-child(n):hover{
background:none;color:inherit}
.pnb-card table{width:100%;margin:0;border:none;border-collapse:collapse;table-layout:auto;font-size:12px;line-height:1.45}
.pnb-card caption{padding:0 0 4px;caption-side:top;text-align:left;font-size:12px;font-weight:600;color:var(--pnb-ink)}
.pnb-card table th,.pnb-card table td{padding:3px 0 3px 12px;border:none;text-align:right;vertical-align:baseline;font-weight:400;
white-space:nowrap;max-width:none}
.pnb-card table tr,.pnb-card table th,.pnb-card table td{line-height:inherit}
.pnb-card table th:first-child,.pnb-card table td:first-child{padding-left:0}
.pnb-card table thead th{color:var(--pnb-muted);font-size:11px;border-bottom:1px solid var(--pnb-line)}
.pnb-card table .pnb-left{text-align:left}
.pnb-card table .pnb-wrap{text-align:left;white-space:normal;overflow-wrap:anywhere}
.pnb-card table .pnb-strong th,.pnb-card table .pnb-strong td{font-weight:600}
.pnb-card table .pnb-strong .pnb-muted{font-weight:400}
.pnb-card table .pnb-sum th,.pnb-card table .pnb-sum td{border-top:1px solid var(--pnb-line);font-weight:600}
.pnb-card .pnb-swatch{display:inline-block;width:9px;height:9px;margin-right:7px;border-radius:2px}
.pnb-card .pnb-hatched{background:repeating-linear-gradient(135deg,var(--pnb-unexplained) 0 1px,var(--pnb-raised) 1px 3px)}
.pnb-card details{margin-top:20px}
.pnb-card .pnb-cost details{margin-top:8px}
.pnb-card summary{cursor:pointer;font-size:12px;font-weight:600}
.pnb-card .pnb-cost summary{font-weight:400;color:var(--pnb-muted)}
"""

_CONVERSATION = """
.pnb-card table.pnb-talk{margin-top:6px;font-size:13px;line-height:1.5}
.pnb-card table.pnb-talk td{padding-top:1px;padding-bottom:1px}
.pnb-card table.pnb-talk tr.pnb-first td{padding-top:7px}
.pnb-card table.pnb-talk .pnb-turn,.pnb-card table.pnb-talk .pnb-who{width:1px;color:var(--pnb-muted);font-size:12px}
.pnb-card table.pnb-talk .pnb-turn{min-width:18px}
.pnb-card table.pnb-talk .pnb-gap{width:1px;color:var(--pnb-muted);font-size:12px}
.pnb-card table.pnb-talk .pnb-words{width:auto}
.pnb-card table.pnb-talk .pnb-agent{font-weight:600}
.pnb-card del{color:var(--pnb-muted);text-decoration:line-through;text-decoration-thickness:1px}
.pnb-card .pnb-mark{padding:0 5px;border-radius:3px;
background:var(--pnb-raised);color:var(--pnb-muted);font-size:11px;white-space:nowrap}
.pnb-card .pnb-cut{color:var(--pnb-accent)}
.pnb-card table.pnb-talk .pnb-revision{padding-top:9px;color:var(--pnb-muted);font-size:11px}
"""

STYLE = "".join(line for sheet in (_THEMES, _LAYOUT, _TABLES, _CONVERSATION) for line in sheet.splitlines())
