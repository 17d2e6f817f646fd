// The zygote: a started interpreter without scripts that forks a worker for each request of the server.
//
// It inherits nothing: its environment is wiped and every descriptor but the request socket closed before Python starts.
// Thread-safety: single-threaded.
#pragma once

namespace funcgate::worker {

// Serves until the server closes the socket; in a forked child, runs the worker. Returns the exit status of the process.
int run_zygote(int socket);

}  // namespace funcgate::worker
