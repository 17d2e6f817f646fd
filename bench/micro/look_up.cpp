// Finding what a call names, among ten and among many: a million keys; of APIs a tenth, because a million take 3 GB.
#include <benchmark/benchmark.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "domain/directory.h"
#include "service/catalog_builder.h"

namespace funcgate::micro {
namespace {

constexpr std::size_t kAsked = 1 << 16;  // different questions, so that the answers are not all in the caches already

// Which of `count` things are asked for, in an order that nothing can foresee.
template <class Name>
std::vector<std::string> questions(std::size_t count, Name&& name) {
  std::mt19937_64 generator(22);
  std::uniform_int_distribution<std::size_t> any(0, count - 1);
  std::vector<std::string> asked;
  for (std::size_t i = 0; i < kAsked; ++i) asked.push_back(name(any(generator)));
  return asked;
}

std::string api_id(std::size_t number) { return "orders-" + std::to_string(1'000'000'000 + number); }

struct Apis {
  service::CatalogPtr catalog;
  std::vector<std::string> asked;
};

// Compiled as the server compiles what is published. Made once: building takes longer than measuring.
const Apis& apis(std::size_t count) {
  static std::map<std::size_t, Apis> made;
  Apis& apis = made[count];
  if (apis.catalog) return apis;
  static const service::ServerSettings settings;
  static base::Metrics metrics;
  domain::Configuration configuration;
  for (std::size_t number = 0; number < count; ++number) {
    domain::FunctionApi api;
    api.id = api_id(number);
    api.func_id = "shop__orders.quote";
    api.anonymous = true;
    auto& stored = configuration.function_apis[api.id];
    stored.value = std::move(api);
  }
  service::CatalogBuilder builder(
      settings, [](const domain::ApiAuthentication&, domain::Reason&) { return auth::SchemePtr(); },
      [](const domain::EnvVariable&) { return base::Error{base::Code::Unavailable, "there are no secrets here", {}}; }, metrics);
  apis.catalog = builder.build(configuration, std::make_shared<const domain::Generation>(), nullptr);
  apis.asked = questions(count, api_id);
  return apis;
}

void find_api(benchmark::State& state, std::size_t count) {
  const Apis& among = apis(count);
  std::size_t next = 0;
  for (auto _ : state) {
    const std::string_view id = among.asked[next++ % kAsked];
    const auto found = among.catalog->endpoints.find(id);
    CHECK(found != among.catalog->endpoints.end() && *found->second->id == id);
  }
}

std::string identifier(domain::IdPrefix prefix, std::size_t number) {
  std::array<char, 10> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number * 0x9e3779b97f4a7c15ULL >> (8 * i));
  return domain::make_id(prefix, {bytes.data(), bytes.size()});
}
std::string key_id(std::size_t number) { return identifier(domain::IdPrefix::ApiKey, number); }

struct Keys {
  domain::DirectoryPtr directory;
  std::vector<std::string> asked;
};

// As many users with one key each, all in one group.
const Keys& keys(std::size_t count) {
  static std::map<std::size_t, Keys> made;
  Keys& keys = made[count];
  if (keys.directory) return keys;
  domain::Directory::Builder builder;
  domain::Role role;
  role.id = identifier(domain::IdPrefix::Role, 1);
  role.name = "Key users";
  role.privileges = {domain::Privilege::UseApiKey};
  domain::UserGroup group;
  group.id = identifier(domain::IdPrefix::UserGroup, 1);
  group.name = role.name;
  group.roles = {role.id};
  builder.add(group);
  builder.add(role);
  for (std::size_t number = 0; number < count; ++number) {
    domain::User user;
    user.id = identifier(domain::IdPrefix::User, number);
    user.login = "user-" + std::to_string(number);
    user.groups = {group.id};
    builder.add(user);
    domain::ApiKey key;
    key.id = key_id(number);
    key.user_id = user.id;
    key.name = "Call API";
    builder.add(key);
  }
  keys.directory = builder.finish();
  keys.asked = questions(count, key_id);
  return keys;
}

// What the check of a key asks the directory for each call: the key, its user, the privilege.
void find_key(benchmark::State& state, std::size_t count) {
  const Keys& among = keys(count);
  std::size_t next = 0;
  for (auto _ : state) {
    const domain::KeyEntry* key = among.directory->key(among.asked[next++ % kAsked]);
    CHECK(key != nullptr && !key->revoked());
    const domain::UserEntry* user = among.directory->user(key->user_id());
    CHECK(user != nullptr && among.directory->holds(*user, domain::Privilege::UseApiKey));
  }
}

BENCHMARK_CAPTURE(find_api, ten, 10)->Name("catalog/10");
BENCHMARK_CAPTURE(find_api, many, 100'000)->Name("catalog/many");
BENCHMARK_CAPTURE(find_key, ten, 10)->Name("keys/10");
BENCHMARK_CAPTURE(find_key, million, 1'000'000)->Name("keys/million");

}  // namespace
}  // namespace funcgate::micro
