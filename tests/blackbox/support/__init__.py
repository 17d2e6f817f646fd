"""What the black-box tests share: the server as a process, resources as documents, HTTP as bytes, a Digest client of our own."""
