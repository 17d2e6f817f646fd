#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace funcgate::base {
namespace {

std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out.push_back(',');
    out += name;
    out += "=\"";
    for (char c : value) {
      if (c == '\\' || c == '"') out.push_back('\\');
      if (c == '\n') {
        out += "\\n";
      } else {
        out.push_back(c);
      }
    }
    out.push_back('"');
  }
  return out;
}

std::string other_labels(const Labels& labels) {
  Labels all;
  for (const auto& [name, unused] : labels) all.emplace_back(name, "other");
  return label_text(all);
}

void render_line(std::string& out, std::string_view name, std::string_view labels, const std::string& value) {
  out += name;
  if (!labels.empty()) fmt::format_to(std::back_inserter(out), "{{{}}}", labels);
  fmt::format_to(std::back_inserter(out), " {}\n", value);
}

template <class Map>
std::map<std::string_view, const typename Map::mapped_type*> sorted(const Map& map) {
  std::map<std::string_view, const typename Map::mapped_type*> out;
  for (const auto& [key, value] : map) out.emplace(key, &value);
  return out;
}

}  // namespace

std::size_t metric_shard() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kMetricShards;
  return mine;
}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

void Histogram::observe_ns(std::int64_t ns) {
  const std::int64_t us = ns / 1000;
  const auto bucket = std::lower_bound(kLimitsUs.begin(), kLimitsUs.end(), us) - kLimitsUs.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)), std::memory_order_relaxed);
}

void Histogram::render(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t total = 0;
  const std::string separator = labels.empty() ? "" : ",";
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    total += buckets_[i].load(std::memory_order_relaxed);
    const std::string limit = i < kLimitsUs.size() ? fmt::format("{}", static_cast<double>(kLimitsUs[i]) / 1e6) : "+Inf";
    render_line(out, fmt::format("{}_bucket", name), fmt::format("{}{}le=\"{}\"", labels, separator, limit),
                std::to_string(total));
  }
  render_line(out, fmt::format("{}_sum", name), labels,
              fmt::format("{:.6f}", static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9));
  render_line(out, fmt::format("{}_count", name), labels, std::to_string(total));
}

Metrics::Family& Metrics::family(std::string_view name, std::string_view help, std::string_view type) {
  auto [entry, fresh] = families_.try_emplace(std::string(name));
  if (fresh) {
    entry->second.help = help;
    entry->second.type = type;
    order_.emplace_back(name);
  }
  return entry->second;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  auto& series = family(name, help, "counter").counters;
  std::string key = label_text(labels);
  if (series.size() >= kSeriesMax && series.find(key) == series.end()) key = other_labels(labels);
  Counter*& found = series[key];
  if (found == nullptr) found = &counter_store_.emplace_back();
  return *found;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  auto& series = family(name, help, "histogram").histograms;
  std::string key = label_text(labels);
  if (series.size() >= kSeriesMax && series.find(key) == series.end()) key = other_labels(labels);
  Histogram*& found = series[key];
  if (found == nullptr) found = &histogram_store_.emplace_back();
  return *found;
}

void Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels, std::function<double()> read) {
  std::lock_guard lock(mutex_);
  auto& series = family(name, help, "gauge").gauges;
  std::string key = label_text(labels);
  if (series.size() >= kSeriesMax && series.find(key) == series.end()) key = other_labels(labels);
  series[key] = std::move(read);
}

std::string Metrics::render() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const std::string& name : order_) {
    const Family& family = families_.at(name);
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, family.help, name, family.type);
    for (const auto& [labels, counter] : sorted(family.counters))
      render_line(out, name, labels, std::to_string((*counter)->value()));
    for (const auto& [labels, histogram] : sorted(family.histograms)) (*histogram)->render(out, name, labels);
    for (const auto& [labels, read] : sorted(family.gauges)) render_line(out, name, labels, fmt::format("{}", (*read)()));
  }
  return out;
}

}  // namespace funcgate::base
