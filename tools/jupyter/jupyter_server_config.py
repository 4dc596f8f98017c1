"""Settings of the JupyterLab that `make lab` starts, on top of the user's own: answers of the kernel are sent at once.

Without TCP_NODELAY the system holds a small message back until the one before it was acknowledged (Nagle's algorithm),
which the browser puts off for up to 40 ms: most of the time from a slider's move to its picture.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c.ServerApp.kernel_websocket_connection_class = PromptConnection  # noqa: F821 (Jupyter provides c)
