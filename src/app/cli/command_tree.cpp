#include "app/cli/command_tree.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"

namespace funcgate::app::cli {
namespace {

namespace json = base::json;

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  std::vector<const CLI::App*> out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty() && !command->get_name().empty()) out.push_back(command);
  }
  return out;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> out;
  for (const std::string& name : option.get_snames()) out.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.push_back("--" + name);
  return out;
}

bool is_positional(const CLI::Option& option) { return option.get_snames().empty() && option.get_lnames().empty(); }

// "table|json|yaml" or "{table,json}" as its choices; empty if the value is free.
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::string type = option.get_type_name();
  const std::size_t brace = type.find('{');
  const bool in_braces = brace != std::string::npos && type.ends_with('}');
  if (in_braces) type = type.substr(brace + 1, type.size() - brace - 2);
  const char separator = type.find('|') != std::string::npos ? '|' : ',';
  std::vector<std::string> out;
  if (type.find(separator) == std::string::npos) return out;
  for (const std::string_view one : base::split(type, separator)) {
    // Capitals are placeholders, unless the parser itself names what it takes.
    if (one.empty() || (!in_braces && base::to_lower(one) != one)) return {};
    out.emplace_back(one);
  }
  return out;
}

bool takes_file(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.find("FILE") != std::string::npos) return true;
  for (const std::string& name : names_of(option)) {
    if (name.ends_with("file") || name == "--data" || name == "--config") return true;
  }
  return false;
}

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

json::object option_json(const CLI::Option& option) {
  const bool flag = option.get_type_size() == 0;
  json::object out{{"names", texts(names_of(option))}, {"value", flag ? std::string() : option.get_type_name()}};
  out["help"] = option.get_description();
  out["default"] = option.get_default_str();
  out["required"] = option.get_required();
  out["choices"] = texts(choices_of(option));
  out["group"] = option.get_group();
  return out;
}

// Everything a line may go on with after its words, for each command.
struct Place {
  std::string words;  // "user create"; empty: the program
  std::vector<const CLI::App*> commands;
  std::vector<const CLI::Option*> options;
};

void collect(const CLI::App& app, const std::string& words, std::vector<Place>& out) {
  Place place{words, shown_commands(app), {}};
  for (const CLI::Option* option : app.get_options()) {
    if (!is_positional(*option)) place.options.push_back(option);
  }
  out.push_back(place);
  for (const CLI::App* command : place.commands)
    collect(*command, words.empty() ? command->get_name() : words + " " + command->get_name(), out);
}

std::string words_after(const Place& place) {
  std::vector<std::string> words;
  for (const CLI::App* command : place.commands) words.push_back(command->get_name());
  for (const CLI::Option* option : place.options) {
    for (std::string& name : names_of(*option)) words.push_back(std::move(name));
  }
  return base::join(words, " ");
}

// In single quotes of a POSIX shell and of fish alike.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// bash and zsh (through its bashcompinit) share one function: `case` over the words so far, then over the option before.
std::string bash_script(const std::vector<Place>& places) {
  std::string out =
      "# Completion of funcgate. Made by: funcgate completion bash\n"
      "_funcgate() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words='' part index\n"
      "  for ((index = 1; index < COMP_CWORD; index++)); do\n"
      "    part=${COMP_WORDS[index]}\n"
      "    case \"$words $part\" in\n";
  std::vector<std::string> known;
  for (const Place& place : places) {
    if (!place.words.empty()) known.push_back(in_quotes(" " + place.words));
  }
  out += fmt::format("      {}) words=\"$words $part\" ;;\n    esac\n  done\n", base::join(known, " | \\\n      "));
  out += "  case \"$words:$before\" in\n";
  for (const Place& place : places) {
    const std::string prefix = place.words.empty() ? ":" : " " + place.words + ":";
    for (const CLI::Option* option : place.options) {
      const auto choices = choices_of(*option);
      const bool file = takes_file(*option);
      if (option->get_type_size() == 0 || (choices.empty() && !file)) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : names_of(*option)) patterns.push_back(in_quotes(prefix + name));
      out += fmt::format("    {}) COMPREPLY=($(compgen {} -- \"$word\")); return ;;\n", base::join(patterns, " | "),
                         choices.empty() ? std::string("-f") : "-W " + in_quotes(base::join(choices, " ")));
    }
  }
  out += "  esac\n  case \"$words\" in\n";
  for (const Place& place : places) {
    out += fmt::format("    {}) COMPREPLY=($(compgen -W {} -- \"$word\")) ;;\n",
                       in_quotes(place.words.empty() ? "" : " " + place.words), in_quotes(words_after(place)));
  }
  return out + "  esac\n}\ncomplete -o default -F _funcgate funcgate\n";
}

std::string zsh_script(const std::vector<Place>& places) {
  return "#compdef funcgate\n# Made by: funcgate completion zsh\nautoload -U +X bashcompinit && bashcompinit\n" +
         bash_script(places);
}

std::string fish_script(const std::vector<Place>& places) {
  std::string out =
      "# Completion of funcgate. Made by: funcgate completion fish\n"
      "function __funcgate_at\n"
      "  set -l words (string match -rv '^-' -- (commandline -opc)[2..-1])\n"
      "  string match -q -- \"$argv[1]\" (string join ' ' -- $words[1..(count (string split ' ' -- $argv[1]))])\n"
      "end\n"
      "complete -c funcgate -f\n";
  for (const Place& place : places) {
    const std::string condition = place.words.empty() ? "__fish_use_subcommand" : "__funcgate_at " + in_quotes(place.words);
    for (const CLI::App* command : place.commands) {
      out += fmt::format("complete -c funcgate -n {} -a {} -d {}\n", in_quotes(condition), in_quotes(command->get_name()),
                         in_quotes(command->get_description()));
    }
    for (const CLI::Option* option : place.options) {
      std::string line = fmt::format("complete -c funcgate -n {}", in_quotes(condition));
      for (const std::string& name : option->get_snames()) line += " -s " + name;
      for (const std::string& name : option->get_lnames()) line += " -l " + name;
      const auto choices = choices_of(*option);
      if (option->get_type_size() != 0)
        line += choices.empty() ? (takes_file(*option) ? " -rF" : " -r") : " -xa " + in_quotes(base::join(choices, " "));
      out += fmt::format("{} -d {}\n", line, in_quotes(option->get_description()));
    }
  }
  return out;
}

}  // namespace

json::object describe_commands(const CLI::App& app, const std::string& words) {
  json::object out{{"words", words}, {"help", app.get_description()}, {"examples", app.get_footer()}};
  json::array arguments, options, commands;
  for (const CLI::Option* option : app.get_options()) {
    if (!is_positional(*option)) {
      options.push_back(option_json(*option));
    } else {
      arguments.push_back(json::object{
          {"name", option->get_name(true)}, {"help", option->get_description()}, {"many", option->get_expected_max() > 1}});
    }
  }
  for (const CLI::App* command : shown_commands(app))
    commands.push_back(describe_commands(*command, words + " " + command->get_name()));
  out["arguments"] = std::move(arguments);
  out["options"] = std::move(options);
  out["commands"] = std::move(commands);
  return out;
}

std::string completion_script(const CLI::App& app, std::string_view shell) {
  std::vector<Place> places;
  collect(app, "", places);
  if (shell == "bash") return bash_script(places);
  return shell == "zsh" ? zsh_script(places) : fish_script(places);
}

}  // namespace funcgate::app::cli
