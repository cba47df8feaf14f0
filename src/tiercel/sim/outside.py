"""The doors of an event loop that lead out of a simulated world, every one of them walled up.

A thread, a socket, a signal or a process would make two runs of one seed differ, so asking for one is an error of
the program that must be seen: the refusal is raised to the caller *and* ends the world, because production code may
well treat an exception from below as one more failing engine and carry on.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from tiercel.sim.verdicts import OutsideWorld

__all__ = ["WalledLoop"]


class WalledLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that a simulation refuses."""

    def end_world(self, fault: BaseException) -> None:
        """Stop everything at the present instant, and raise ``fault`` out of the run."""
        raise NotImplementedError

    def refuse(self, verb: str) -> NoReturn:
        """Raise to the caller, and end the world in case the caller copes."""
        fault = OutsideWorld(f"{verb}: a simulated world has no threads, executors, sockets, signals or processes")
        self.end_world(fault)
        raise fault

    # Threads.

    def run_in_executor(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("run_in_executor (to_thread)")

    def set_default_executor(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("set_default_executor")

    # Names of hosts: the simulated network resolves its own.

    def getaddrinfo(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("getaddrinfo")

    def getnameinfo(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("getnameinfo")

    # Real descriptors.

    def add_reader(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("add_reader")

    def remove_reader(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("remove_reader")

    def add_writer(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("add_writer")

    def remove_writer(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("remove_writer")

    def sock_recv(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_recv")

    def sock_recv_into(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_recv_into")

    def sock_recvfrom(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_recvfrom")

    def sock_recvfrom_into(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_recvfrom_into")

    def sock_sendall(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_sendall")

    def sock_sendto(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_sendto")

    def sock_connect(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_connect")

    def sock_accept(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_accept")

    def sock_sendfile(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sock_sendfile")

    def sendfile(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("sendfile")

    def start_tls(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("start_tls")

    def connect_accepted_socket(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("connect_accepted_socket")

    def create_datagram_endpoint(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("create_datagram_endpoint")

    def create_unix_connection(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("create_unix_connection")

    def create_unix_server(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("create_unix_server")

    # Signals and processes.

    def add_signal_handler(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("add_signal_handler")

    def remove_signal_handler(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("remove_signal_handler")

    def connect_read_pipe(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("connect_read_pipe")

    def connect_write_pipe(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("connect_write_pipe")

    def subprocess_shell(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("subprocess_shell")

    def subprocess_exec(self, *args: object, **kwargs: object) -> NoReturn:
        self.refuse("subprocess_exec")
