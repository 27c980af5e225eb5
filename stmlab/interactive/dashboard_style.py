"""How the dashboard looks."""

from importlib.resources import files

STYLE = f"<style>{files('stmlab.interactive').joinpath('dashboard.css').read_text('utf-8')}</style>"
