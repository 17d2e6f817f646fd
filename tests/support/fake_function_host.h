// FakeFunctionHost: finds functions in scripts by reading lines, so that a test publishes what it means without workers:
//
//   api quote(sku, qty=1)      function `quote`, one required parameter
//   async api poll()           an async function
//   fail something is wrong    the script does not load, problem at this line
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "domain/ports/function_host.h"

namespace funcgate::test {

class FakeFunctionHost final : public domain::FunctionHost {
 public:
  int staged = 0;

  base::Result<domain::GenerationPtr> stage(const std::vector<domain::ScriptSet>& sets,
                                            const std::vector<domain::Script>& scripts,
                                            std::vector<domain::StageProblem>& problems) override {
    ++staged;
    auto generation = std::make_shared<domain::Generation>();
    generation->number = static_cast<std::uint64_t>(staged);
    for (const domain::ScriptSet& set : sets) generation->sets.emplace(set.id, set);
    for (const domain::Script& script : scripts) load(script, *generation, problems);
    if (!problems.empty()) return base::Error{base::Code::InvalidArgument, "scripts do not load", {}};
    return domain::GenerationPtr(generation);
  }

 private:
  static void load(const domain::Script& script, domain::Generation& generation, std::vector<domain::StageProblem>& problems) {
    std::int64_t line_number = 0;
    for (std::string_view line : base::split(script.source, '\n')) {
      ++line_number;
      if (line.starts_with("fail ")) problems.push_back({script.id, "", std::string(line.substr(5)), line_number});
      const bool is_async = line.starts_with("async api ");
      if (!is_async && !line.starts_with("api ")) continue;
      line.remove_prefix(is_async ? 10 : 4);
      domain::FunctionInfo function;
      function.name = std::string(line.substr(0, line.find('(')));
      function.id = script.id + "." + function.name;
      function.script_id = script.id;
      function.set_id = script.set_id;
      function.is_async = is_async;
      function.publish_version = script.publish_version;
      add_parameters(line, function);
      generation.functions.emplace(function.id, function);
    }
  }
  static void add_parameters(std::string_view line, domain::FunctionInfo& function) {
    const std::size_t open = line.find('('), close = line.find(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close == open + 1) return;
    for (std::string_view parameter : base::split(line.substr(open + 1, close - open - 1), ',')) {
      parameter = base::trim(parameter);
      const std::size_t equals = parameter.find('=');
      function.parameters.emplace_back(parameter.substr(0, equals));
      if (equals == std::string_view::npos) function.required_parameters.emplace_back(parameter);
    }
  }
};

}  // namespace funcgate::test
