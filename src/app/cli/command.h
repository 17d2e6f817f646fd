// The commands that speak to the management API, as a table: words, method, path, where each argument goes, and what is shown.
//
// Most commands are rows and nothing else; `run` is for those that are more than one call. Thread-safety: plain values.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/api_client.h"
#include "app/cli/output.h"

namespace funcgate::app::cli {

// What a positional argument names. Everything but Text is looked up and becomes an id; an id is taken as it is.
enum class Lookup { Text, User, Group, Role, Application, Key, Secret };

struct Positional {
  std::string_view name;  // "USER"
  std::string_view help;
  Lookup lookup = Lookup::Text;
  bool many = false;  // the last one only: the call is made for each
};

// What becomes of an option's text.
enum class Form {
  Text,      // as it is
  Texts,     // may be repeated: a list
  Number,    // a whole number
  YesNo,     // yes or no: true or false
  Set,       // no value: true
  Clear,     // no value: false
  Moment,    // "90d" from now, a date, a date-time, or "never": null
  Hours,     // "24h", "2d": whole hours
  Scopes,    // "api,management": a list
  Local,     // for `run` alone: neither body nor query
  LocalSet,  // the same without a value
};

struct Option {
  std::string_view name;    // "--email", with a short form "-f,--file"
  std::string_view member;  // of the body, or of the query of a GET: "email", "owner.flow"
  Form form = Form::Text;
  std::string_view value;  // placeholder in the help: "ADDRESS"
  std::string_view help;
  bool required = false;
  Lookup lookup = Lookup::Text;  // of Form::Text
};

struct Run;

struct Command {
  std::string_view words;  // "user create"
  std::string_view help;
  std::string_view method = "GET";
  std::string_view target;  // "/users/{0}": {n} is the n-th positional
  std::vector<Positional> positionals;
  std::vector<Option> options;
  std::vector<Column> columns = {};  // of a list; empty: one object
  std::string_view done = {};        // what is said when the server has nothing to say: "The user {0} was deleted"
  std::string_view body = {};        // JSON that the body begins with; set: a body is sent even without options
  std::vector<std::string_view> positional_members = {};  // of the body: "login"; "" = none, it stands in the path
  bool if_match = false;                                  // sends If-Match: * or the version that was asked for
  bool pages = false;                                     // a list that is read to its end
  std::function<base::Result<int>(Run&)> run = {};
  bool token_optional = false;
};

struct Group {
  std::string_view word, help, examples;
};

// What was written on the command line.
struct Values {
  std::vector<std::string> positionals;                                  // those of `many` at the end
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // by the long name, "--email"; a flag has one empty text

  bool given(std::string_view option) const { return options.find(option) != options.end(); }
  // The last one; empty if it was not given.
  std::string text(std::string_view option) const;
};

struct Run {
  const Command& command;
  const Values& values;
  ApiClient& client;
  Format format = Format::Table;
};

// Makes the call(s) of a row and prints the answer; the exit code.
base::Result<int> execute(Run& run);
// One positional as an id.
base::Result<std::string> look_up(ApiClient& client, Lookup lookup, const std::string& text);
// Prints the warnings of an answer to standard error.
void print_warnings(const ApiReply& reply);
// The body that positionals and options ask for.
base::Result<json::object> make_body(const Run& run);
// All rows of a list, up to `rows_max`; `path` may have a query.
base::Result<json::array> read_list(ApiClient& client, const std::string& path, std::size_t rows_max, bool& more);
void append_query(std::string& path, std::string_view name, std::string_view value);

// "90d", "12h", "30m", "45s", "2w" in ms; nullopt: not a length of time.
std::optional<std::int64_t> parse_span_ms(std::string_view text);
// Form::Moment as RFC 3339, or empty for "never".
base::Result<std::string> parse_moment(std::string_view option, std::string_view text, base::WallMs now_ms);

// A secret from `file`, or from standard input if that is empty; without echo on a terminal. One line end at its end is cut.
base::Result<base::SecretString> read_secret(const std::string& file, std::string_view prompt);
// Writes a secret to a file that did not exist, mode 0600.
base::Status write_secret(const std::string& file, std::string_view content);

// The tables, by file. Order is the order of the help.
std::vector<Group> command_groups();
void add_user_commands(std::vector<Command>& commands);
void add_role_commands(std::vector<Command>& commands);
void add_application_commands(std::vector<Command>& commands);
void add_key_commands(std::vector<Command>& commands);
void add_audit_commands(std::vector<Command>& commands);
void add_server_commands(std::vector<Command>& commands);

}  // namespace funcgate::app::cli
