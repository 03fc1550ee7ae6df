"""Connect provider clients that use the requests library by sockets that keep to the time limit of a sending."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager
from urllib3.util.ssl_ import create_urllib3_context

from pro.messaging.providers.time_limit import LimitedSocket, LimitedTlsSocket, connect_within_limit


def _connect(connection: HTTPConnection) -> LimitedSocket:
    """Connect as urllib3 does, and raise what it raises."""
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    try:
        made = connect_within_limit(connection._dns_host, connection.port, timeout)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"Connection to {connection.host} timed out.") from error
    except OSError as error:
        raise NewConnectionError(connection, f"Failed to establish a new connection: {error}") from error
    for option in connection.socket_options or ():
        made.setsockopt(*option)
    return made


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class LimitedAdapter(HTTPAdapter):
    """Make connections that keep to the time limit, through a proxy as well; retry nothing."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*args, ssl_context=_make_context(), **more)
        _use_limited_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """Return the pools of connections through ``proxy``."""
        manager = super().proxy_manager_for(proxy, **{"ssl_context": _make_context(), **more})
        _use_limited_pools(manager)
        return manager


def _make_context() -> Any:
    context = create_urllib3_context()
    context.sslsocket_class = LimitedTlsSocket
    return context


def _use_limited_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
