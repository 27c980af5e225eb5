"""The dashboard as a page of its own: Voila on this machine, for this machine, without a network."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import webbrowser
from importlib.resources import files

HOST = "127.0.0.1"
FIRST_PORT = 8866
# All that ipywidgets need; other extensions may be made for a newer JupyterLab than the one that Voila carries.
EXTENSIONS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]


def serve(port=None, browser=True):
    """Serve the dashboard until interrupted.

    Only this machine is listened to, and only who knows the address that is printed, with its token, gets in:
    the dashboard writes files where its user may.

    Parameters
    ----------
    port : int, optional
        Where to listen; from 8866 on the first free port if left out.
    browser : bool
        Whether to open the address in a browser.

    Raises
    ------
    ValueError
        If the port is taken or not allowed.
    """
    if port is not None:
        check_free(port)
    folder = str(files("stmlab.interactive").joinpath("app"))
    # Voila's kernel works beside its notebook, that is inside the package; the notebook goes back to here.
    os.environ["STMLAB_FOLDER"] = os.getcwd()
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this very Python
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("JUPYTER_PATH")]))
    app = make_app(browser)
    app.initialize([os.path.join(folder, "app.ipynb")])
    app.ip, app.token = HOST, secrets.token_urlsafe(24)
    app.port, app.port_retries = (FIRST_PORT, 50) if port is None else (port, 0)
    app.start()


def make_app(browser):
    """Return Voila, quiet but for the address to open."""
    from voila.app import Voila

    class Page(Voila):
        def launch_browser(self):
            # Called as soon as the server listens. Voila's own page to open it would come without the token.
            address = f"http://{HOST}:{self.port}/?token={self.token}"
            print(f"The dashboard: {address}\nStop it with Ctrl+C.", flush=True)
            if browser:
                webbrowser.open(address)

    page = Page(log_level="ERROR", open_browser=True, config_file_paths=[])
    page.config.VoilaConfiguration.update(
        template="stmlab", allow_template_override="NO", file_allowlist=[],
        extension_allowlist=EXTENSIONS,
    )  # fmt: skip
    # A page that is left asks for its kernel's end, but without the cookie that proves where it comes from; whoever
    # asks has to know the kernel's random name. Where a browser dies without asking, the kernel ends later.
    page.tornado_settings = {"disable_check_xsrf": True}
    page.config.MappingKernelManager.update(cull_idle_timeout=900, cull_interval=60)
    return page


def check_free(port):
    """Refuse a port that cannot be listened to."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            raise ValueError(f"port {port} {reason}; choose another with --port") from None
