// PersistentMap: a map whose copies are free: copying shares everything, changing a copy copies the few nodes on one path.
//
// A hash trie of 32-fold nodes that hold only what they have (Bagwell's array mapped trie in the canonical layout of Steindorfer
// and Vinju): about 18 bytes per entry beside the entry itself. A map that shares a node with nobody changes it in place, so that
// filling one needs no other kind of map. Entries bring their key along; one block of memory may stand in several maps by
// pointer.
//
// Traits: `static Key key(const Entry&)`, where Key is cheap to copy and has ==, and `static std::uint64_t hash(Key)`.
// Entry: copies and moves without throwing; its key never changes while it is in a map. Running out of memory ends the process.
// Thread-safety: as a standard container. Different maps are independent although they share nodes: a reader of one map may run
// beside a writer of its copy. find() waits for nobody and allocates nothing.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace funcgate::base {

template <class Entry, class Traits>
class PersistentMap {
 public:
  using Key = decltype(Traits::key(std::declval<const Entry&>()));

  PersistentMap() = default;
  PersistentMap(const PersistentMap& other) noexcept : root_(share(other.root_)), size_(other.size_) {}
  PersistentMap(PersistentMap&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PersistentMap& operator=(PersistentMap other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PersistentMap() { release(root_); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Null: no entry of that key. The pointer is good until this map changes or ends; entries of another copy stay where they are.
  const Entry* find(Key key) const {
    const Node* node = root_;
    std::uint64_t rest = Traits::hash(key);
    for (unsigned depth = 0; node != nullptr; ++depth, rest >>= kBits) {
      if (depth == kDepthMax) return find_alike(node, key);
      const std::uint32_t bit = bit_of(rest);
      if ((node->entry_bits & bit) != 0) {
        const Entry* entry = entries(node) + rank(node->entry_bits, bit);
        return Traits::key(*entry) == key ? entry : nullptr;
      }
      if ((node->child_bits & bit) == 0) return nullptr;
      node = children(node)[rank(node->child_bits, bit)];
    }
    return nullptr;
  }
  bool contains(Key key) const { return find(key) != nullptr; }

  // Adds `entry`, or puts it in the place of the one with its key. True: it was added.
  bool put(Entry entry) noexcept {
    const std::uint64_t hash = Traits::hash(Traits::key(entry));
    bool added = true;
    root_ = root_ == nullptr ? make_leaf(bit_of(hash), std::move(entry)) : put_into(root_, 0, hash, std::move(entry), added);
    size_ += added ? 1 : 0;
    return added;
  }

  // The entry of `key`, to be changed in all but its key; null if there is none. Other copies of the map keep theirs.
  Entry* edit(Key key) noexcept {
    if (find(key) == nullptr) return nullptr;
    Node** place = &root_;
    std::uint64_t rest = Traits::hash(key);
    for (unsigned depth = 0;; ++depth, rest >>= kBits) {
      *place = own(*place);
      if (depth == kDepthMax) return const_cast<Entry*>(find_alike(*place, key));
      const std::uint32_t bit = bit_of(rest);
      if (((*place)->entry_bits & bit) != 0) return entries(*place) + rank((*place)->entry_bits, bit);
      place = children(*place) + rank((*place)->child_bits, bit);
    }
  }

  // True: there was such an entry.
  bool erase(Key key) noexcept {
    if (find(key) == nullptr) return false;
    root_ = erase_from(root_, 0, Traits::hash(key), key);
    --size_;
    return true;
  }

  // Calls `visit(entry)` for every entry, in no order, until one call returns false. True: all were visited.
  template <class Visit>
  bool each(Visit&& visit) const {
    return root_ == nullptr || each_below(root_, visit);
  }

 private:
  static constexpr unsigned kBits = 5;
  // At this depth the hash is used up: the node is a plain list of entries whose hashes are all alike.
  static constexpr unsigned kDepthMax = (64 + kBits - 1) / kBits;

  // Followed by its children and its entries, both in the order of their bits.
  struct Node {
    std::atomic<std::uint32_t> owners{1};
    std::uint32_t entry_bits = 0, child_bits = 0;
    std::uint32_t entry_count = 0;
  };
  static_assert(alignof(Entry) <= alignof(std::max_align_t) && alignof(Entry) <= sizeof(Node));

  static std::uint32_t bit_of(std::uint64_t rest) { return std::uint32_t{1} << (rest & ((1U << kBits) - 1)); }
  static unsigned rank(std::uint32_t bits, std::uint32_t bit) { return static_cast<unsigned>(std::popcount(bits & (bit - 1))); }
  static unsigned child_count(const Node* node) { return static_cast<unsigned>(std::popcount(node->child_bits)); }

  static constexpr std::size_t entries_offset(std::size_t child_count) {
    const std::size_t end = sizeof(Node) + child_count * sizeof(Node*);
    return (end + alignof(Entry) - 1) / alignof(Entry) * alignof(Entry);
  }
  static Node** children(const Node* node) {
    return reinterpret_cast<Node**>(reinterpret_cast<char*>(const_cast<Node*>(node)) + sizeof(Node));
  }
  static Entry* entries(const Node* node) {
    return reinterpret_cast<Entry*>(reinterpret_cast<char*>(const_cast<Node*>(node)) + entries_offset(child_count(node)));
  }

  // Room for children and entries, which the caller fills.
  static Node* make(std::uint32_t child_bits, std::uint32_t entry_bits, std::uint32_t entry_count) {
    const auto children = static_cast<std::size_t>(std::popcount(child_bits));
    void* memory = ::operator new(entries_offset(children) + entry_count * sizeof(Entry));
    Node* node = new (memory) Node();
    node->child_bits = child_bits;
    node->entry_bits = entry_bits;
    node->entry_count = entry_count;
    return node;
  }
  static Node* make_leaf(std::uint32_t bit, Entry&& entry) {
    Node* node = make(0, bit, 1);
    new (entries(node)) Entry(std::move(entry));
    return node;
  }

  static Node* share(Node* node) {
    if (node != nullptr) node->owners.fetch_add(1, std::memory_order_relaxed);
    return node;
  }
  static void release(Node* node) {
    if (node == nullptr || node->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    for (unsigned i = 0; i < child_count(node); ++i) release(children(node)[i]);
    std::destroy_n(entries(node), node->entry_count);
    ::operator delete(node);
  }
  // Nobody else can get hold of a node that has one owner, because its owner is being changed right now.
  static bool is_own(const Node* node) { return node->owners.load(std::memory_order_acquire) == 1; }

  // `node`, or a copy of it that nobody else has. Takes over the caller's share.
  static Node* own(Node* node) {
    if (is_own(node)) return node;
    Node* copy = make(node->child_bits, node->entry_bits, node->entry_count);
    for (unsigned i = 0; i < child_count(node); ++i) children(copy)[i] = share(children(node)[i]);
    std::uninitialized_copy_n(entries(node), node->entry_count, entries(copy));
    release(node);
    return copy;
  }

  // A node of another form with the contents of `old` but the entry at `skip_entry` and the child at `skip_child`; places at
  // `gap_entry` and `gap_child` of the new node stay free. kNowhere: none. Takes over the caller's share of `old`.
  static constexpr unsigned kNowhere = ~0U;
  struct Reshape {
    std::uint32_t child_bits, entry_bits, entry_count;
    unsigned skip_entry = kNowhere, gap_entry = kNowhere, skip_child = kNowhere, gap_child = kNowhere;
  };
  static Node* reshape(Node* old, const Reshape& form) {
    Node* fresh = make(form.child_bits, form.entry_bits, form.entry_count);
    const bool moves = is_own(old);
    unsigned to = 0;
    for (unsigned i = 0; i < child_count(old); ++i) {
      if (i == form.skip_child) continue;
      if (to == form.gap_child) ++to;
      children(fresh)[to++] = moves ? children(old)[i] : share(children(old)[i]);
    }
    to = 0;
    for (unsigned i = 0; i < old->entry_count; ++i) {
      if (i == form.skip_entry) continue;
      if (to == form.gap_entry) ++to;
      Entry& source = entries(old)[i];
      if (moves) {
        new (entries(fresh) + to++) Entry(std::move(source));
      } else {
        new (entries(fresh) + to++) Entry(std::as_const(source));
      }
    }
    if (moves) {
      // Its children and entries have moved on; what was skipped is the caller's affair, or already moved from.
      std::destroy_n(entries(old), old->entry_count);
      ::operator delete(old);
    } else {
      release(old);
    }
    return fresh;
  }

  static const Entry* find_alike(const Node* node, Key key) {
    for (unsigned i = 0; i < node->entry_count; ++i) {
      if (Traits::key(entries(node)[i]) == key) return entries(node) + i;
    }
    return nullptr;
  }

  static Node* put_into(Node* node, unsigned depth, std::uint64_t rest, Entry&& entry, bool& added) {
    if (depth == kDepthMax) return put_alike(node, std::move(entry), added);
    const std::uint32_t bit = bit_of(rest);
    if ((node->child_bits & bit) != 0) {
      node = own(node);
      Node*& child = children(node)[rank(node->child_bits, bit)];
      child = put_into(child, depth + 1, rest >> kBits, std::move(entry), added);
      return node;
    }
    const unsigned place = rank(node->entry_bits, bit);
    if ((node->entry_bits & bit) == 0) {
      node = reshape(node, {.child_bits = node->child_bits,
                            .entry_bits = node->entry_bits | bit,
                            .entry_count = node->entry_count + 1,
                            .gap_entry = place});
      new (entries(node) + place) Entry(std::move(entry));
      return node;
    }
    if (Traits::key(entries(node)[place]) == Traits::key(entry)) {
      added = false;
      node = own(node);
      entries(node)[place] = std::move(entry);
      return node;
    }
    // Two keys in one place: both go into a new child.
    const std::uint64_t other_rest = Traits::hash(Traits::key(entries(node)[place])) >> (kBits * (depth + 1) % 64);
    const bool used_up = depth + 1 == kDepthMax;
    Node* child =
        pair(depth + 1, used_up ? 0 : other_rest, Entry(std::as_const(entries(node)[place])), rest >> kBits, std::move(entry));
    const std::uint32_t child_bits = node->child_bits | bit;
    const unsigned child_place = rank(child_bits, bit);
    node = reshape(node, {.child_bits = child_bits,
                          .entry_bits = node->entry_bits & ~bit,
                          .entry_count = node->entry_count - 1,
                          .skip_entry = place,
                          .gap_child = child_place});
    children(node)[child_place] = child;
    return node;
  }

  static Node* put_alike(Node* node, Entry&& entry, bool& added) {
    if (const Entry* there = find_alike(node, Traits::key(entry))) {
      const auto place = there - entries(node);
      added = false;
      node = own(node);
      entries(node)[place] = std::move(entry);
      return node;
    }
    const std::uint32_t count = node->entry_count;
    node = reshape(node, {.child_bits = 0, .entry_bits = 0, .entry_count = count + 1, .gap_entry = count});
    new (entries(node) + count) Entry(std::move(entry));
    return node;
  }

  // The smallest trie below `depth` that holds two entries of different keys.
  static Node* pair(unsigned depth, std::uint64_t rest_a, Entry&& a, std::uint64_t rest_b, Entry&& b) {
    if (depth == kDepthMax) {
      Node* node = make(0, 0, 2);
      new (entries(node)) Entry(std::move(a));
      new (entries(node) + 1) Entry(std::move(b));
      return node;
    }
    const std::uint32_t bit_a = bit_of(rest_a), bit_b = bit_of(rest_b);
    if (bit_a == bit_b) {
      Node* node = make(bit_a, 0, 0);
      children(node)[0] = pair(depth + 1, rest_a >> kBits, std::move(a), rest_b >> kBits, std::move(b));
      return node;
    }
    Node* node = make(0, bit_a | bit_b, 2);
    new (entries(node) + (bit_a < bit_b ? 0 : 1)) Entry(std::move(a));
    new (entries(node) + (bit_a < bit_b ? 1 : 0)) Entry(std::move(b));
    return node;
  }

  // Null: nothing is left. `key` is there.
  static Node* erase_from(Node* node, unsigned depth, std::uint64_t rest, Key key) {
    const std::uint32_t bit = depth == kDepthMax ? 0 : bit_of(rest);
    if ((node->child_bits & bit) != 0) return erase_from_child(node, depth, rest, key);
    if (node->entry_count == 1 && node->child_bits == 0) {
      release(node);
      return nullptr;
    }
    const auto place =
        depth == kDepthMax ? static_cast<unsigned>(find_alike(node, key) - entries(node)) : rank(node->entry_bits, bit);
    return reshape(node, {.child_bits = node->child_bits,
                          .entry_bits = node->entry_bits & ~bit,
                          .entry_count = node->entry_count - 1,
                          .skip_entry = place});
  }

  static Node* erase_from_child(Node* node, unsigned depth, std::uint64_t rest, Key key) {
    const std::uint32_t bit = bit_of(rest);
    const unsigned child_place = rank(node->child_bits, bit);
    node = own(node);
    Node* child = erase_from(children(node)[child_place], depth + 1, rest >> kBits, key);
    children(node)[child_place] = child;
    // A child never becomes empty: it had at least two entries. One that has a single entry left gives it back, so that equal
    // contents have one form and look-ups stay short.
    if (child->child_bits != 0 || child->entry_count != 1) return node;
    Entry last = std::as_const(entries(child)[0]);
    release(child);
    const std::uint32_t entry_bits = node->entry_bits | bit;
    const unsigned place = rank(entry_bits, bit);
    node = reshape(node, {.child_bits = node->child_bits & ~bit,
                          .entry_bits = entry_bits,
                          .entry_count = node->entry_count + 1,
                          .gap_entry = place,
                          .skip_child = child_place});
    new (entries(node) + place) Entry(std::move(last));
    return node;
  }

  template <class Visit>
  static bool each_below(const Node* node, Visit& visit) {
    for (unsigned i = 0; i < node->entry_count; ++i) {
      if (!visit(std::as_const(entries(node)[i]))) return false;
    }
    for (unsigned i = 0; i < child_count(node); ++i) {
      if (!each_below(children(node)[i], visit)) return false;
    }
    return true;
  }

  Node* root_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace funcgate::base
