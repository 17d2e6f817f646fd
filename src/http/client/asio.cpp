// The one place where Asio's own code is compiled: of it only addresses are used, here and by Beast's parser.
#include <boost/asio/impl/src.hpp>
