"""The Python part of the worker's runtime. It is compiled into the worker; scripts see only the name `DFF`."""
