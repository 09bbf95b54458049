#include "autograd/tape.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "core/ops.h"

namespace rz {

namespace {
thread_local Tape* active_tape = nullptr;
thread_local TapeWatch* watch = nullptr;
std::atomic<std::uint32_t> next_serial{1};
}  // namespace

struct Tape::Memory {
  std::vector<Node> nodes;
  std::vector<std::int32_t> inputs;
  std::vector<Seen> stores;
  std::vector<std::int32_t> parameter_nodes;

  static constexpr std::size_t most_nodes = 1 << 16;  // a larger tape's memory is given back
  static std::vector<Memory>& spare() {               // one for each tape that was nested in another
    thread_local std::vector<Memory> memories;
    return memories;
  }
};

Tape::Tape() : serial_(next_serial++) {
  RZ_CHECK(value, !active_tape,
           "tape: this thread has a tape already (one tape at a time; checkpoint() makes its own)");
  begin(nullptr);
}
Tape::Tape(LeavesOnly) : Tape() { leaves_only_ = true; }
Tape::Tape(Nested) : serial_(next_serial++) {
  begin(active_tape);
  leaves_only_ = outer_ && outer_->leaves_only_;
}

void Tape::begin(Tape* outer) {
  if (std::vector<Memory>& spare = Memory::spare(); !spare.empty()) {
    nodes_ = std::move(spare.back().nodes);
    inputs_ = std::move(spare.back().inputs);
    stores_ = std::move(spare.back().stores);
    parameter_nodes_ = std::move(spare.back().parameter_nodes);
    spare.pop_back();
  }
  outer_ = outer;
  active_tape = this;
}

Tape::~Tape() {
  if (active_tape == this) active_tape = outer_;
  nodes_.clear();
  inputs_.clear();
  stores_.clear();
  parameter_nodes_.clear();
  if (nodes_.capacity() <= Memory::most_nodes)
    Memory::spare().push_back({std::move(nodes_), std::move(inputs_), std::move(stores_), std::move(parameter_nodes_)});
}

Tape* Tape::active() { return active_tape; }
Tape& Tape::root() { return outer_ ? outer_->root() : *this; }

NoRecording::NoRecording() : suspended_(active_tape) { active_tape = nullptr; }
NoRecording::~NoRecording() { active_tape = suspended_; }

std::int32_t Tape::node_of(const Variable& v) const {
  if (v.node_ < 0) return -1;
  RZ_CHECK(value, v.tape_ == serial_,
           "tape: a variable {} of another tape was used (its tape has ended, or is suspended: use detached())",
           v.shape());
  return v.node_;
}

Variable Tape::append(const OperationName& name, std::span<const Variable* const> inputs, Tensor value,
                      std::unique_ptr<detail::Rule> rule) {
  RZ_CHECK(value, !consumed_, "tape: {} was recorded after the backward pass, which consumes the tape", name.text);
  Node node;
  node.name = name.text;
  node.shape = value.shape();
  node.dtype = value.dtype();
  node.device = value.device();
  node.rule = std::move(rule);
  node.first_input = static_cast<std::uint32_t>(inputs_.size());
  node.inputs = static_cast<std::uint32_t>(inputs.size());
  for (const Variable* input : inputs) inputs_.push_back(node_of(*input));
  nodes_.push_back(std::move(node));
  if (watch && nodes_.back().rule) watch->forward(nodes_.size() - 1, name, inputs, value);
  Variable v(std::move(value));
  v.tape_ = serial_;
  v.node_ = static_cast<std::int32_t>(nodes_.size() - 1);
  return v;
}

Variable Tape::leaf(const Tensor& value) { return append("leaf", {}, value, nullptr); }
Variable Tape::leaf(const Variable& variable) {
  Variable v = leaf(variable.value());
  v.tangent_ = variable.tangent_;
  return v;
}

Variable Tape::parameter(const Parameter& parameter) {
  if (leaves_only_) return Variable(parameter.value());
  ParameterStore& store = parameter.store();
  std::int32_t& id = parameter_nodes_[see(store).first + static_cast<std::size_t>(parameter.index())];
  Variable v(parameter.value());
  if (id < 0) {
    v = leaf(v.value());
    id = v.node_;
    nodes_.back().store = &store;
    nodes_.back().parameter = parameter.index();
  }
  v.tape_ = serial_;
  v.node_ = id;
  return v;
}

// A leaf for every use: all write to the same rows.
Variable Tape::parameter_rows(const Parameter& parameter, std::int64_t first, std::int64_t count) {
  const Tensor value = parameter.value().rows(first, count);
  if (leaves_only_) return Variable(value);
  see(parameter.store());
  const Variable v = leaf(value);
  nodes_.back().store = &parameter.store();
  nodes_.back().parameter = parameter.index();
  nodes_.back().first_row = first;
  return v;
}

Tensor Tape::parameter_gradient(const Node& node) {
  const Tensor whole = (*node.store)[node.parameter].gradient();
  return node.first_row < 0 ? whole : whole.rows(node.first_row, node.shape[0]);
}

Tape::Seen& Tape::see(ParameterStore& store) {
  for (Seen& seen : stores_)
    if (seen.store == &store) return seen;
  stores_.push_back({&store, parameter_nodes_.size()});
  parameter_nodes_.resize(parameter_nodes_.size() + static_cast<std::size_t>(store.size()), -1);
  if (outer_) root().touch(store);
  return stores_.back();
}

// A store that a nested tape found during the root's backward pass.
void Tape::touch(ParameterStore& store) {
  const std::size_t known = stores_.size();
  see(store);
  if (stores_.size() == known) return;
  for (ParameterStore::Entry& entry : store.entries_) entry.gradient_written = accumulate_;
}

void Tape::backward(const Variable& y, bool accumulate) {
  RZ_CHECK(shape, y.value().elements() == 1,
           "backward: y {} has {} elements; give d_y, or reduce it to one (sum, mean)", y.shape(),
           y.value().elements());
  backward(y, Tensor::full(y.shape(), 1, y.dtype(), y.value().device()), accumulate);
}

void Tape::backward(const Variable& y, const Tensor& d_y, bool accumulate) {
  RZ_CHECK(value, !consumed_, "backward: the tape was consumed by an earlier backward pass of {} operations",
           nodes_.size());
  RZ_CHECK(shape, d_y.shape() == y.shape(), "backward: d_y {} must have the shape of y {}", d_y.shape(), y.shape());
  RZ_CHECK(dtype, d_y.dtype() == y.dtype(), "backward: d_y is {}, y is {}", d_y.dtype(), y.dtype());
  const std::int32_t last = node_of(y);
  consumed_ = true;
  accumulate_ = accumulate;
  if (!outer_)
    for (const Seen& seen : stores_)
      for (ParameterStore::Entry& entry : seen.store->entries_) entry.gradient_written = accumulate;
  if (last >= 0) {
    Node& node = nodes_[static_cast<std::size_t>(last)];
    if (node.store)
      ops::add_to(d_y, destination(node));
    else
      node.gradient = d_y;
  }
  for (std::size_t k = nodes_.size(); k-- > 0;) {
    Node& node = nodes_[k];
    if (!node.rule) continue;
    const std::unique_ptr<detail::Rule> rule = std::move(node.rule);
    if (!node.gradient.defined()) continue;
    const Tensor gradient = std::move(node.gradient);
    node.gradient = Tensor();
    Gradients destinations(*this, k);
    try {
      rule->apply(gradient, destinations);
    } catch (const Error& e) {
      throw Error(e.code(), std::string("backward of ") + node.name + ": " + e.message(), e.source_file(),
                  e.source_line());
    }
    if (watch) tell_backward(k, gradient);
  }
  if (outer_) return;
  for (const Seen& seen : stores_)
    for (int i = 0; i < seen.store->size(); ++i)
      if (!seen.store->entries_[static_cast<std::size_t>(i)].gradient_written)
        ops::fill((*seen.store)[i].gradient(), 0);
}

void Tape::tell_backward(std::size_t index, const Tensor& d_y) const {
  const Node& node = nodes_[index];
  std::vector<Tensor> gradients;
  for (std::uint32_t i = 0; i < node.inputs; ++i) {
    const std::int32_t id = inputs_[node.first_input + i];
    const Node* const input = id < 0 ? nullptr : &nodes_[static_cast<std::size_t>(id)];
    gradients.push_back(!input ? Tensor() : input->store ? parameter_gradient(*input) : input->gradient);
  }
  watch->backward(index, d_y, gradients);
}

TapeWatch::TapeWatch() : outer_(watch) { watch = this; }
TapeWatch::~TapeWatch() { watch = outer_; }
TapeWatch* TapeWatch::active() { return watch; }

Tensor Tape::gradient(const Variable& leaf) const {
  RZ_CHECK(value, leaf.recorded(), "gradient: {} is a constant, not a leaf of the tape", leaf.shape());
  const Node& node = nodes_[static_cast<std::size_t>(node_of(leaf))];
  if (node.store) return parameter_gradient(node);
  return node.gradient.defined() ? node.gradient : Tensor::zeros(node.shape, node.dtype, node.device);
}

// ---- Gradients ----

bool Gradients::wanted(int input) const {
  return tape_.inputs_[tape_.nodes_[node_].first_input + static_cast<std::size_t>(input)] >= 0;
}

bool Gradients::same(int input, int other) const {
  const std::int32_t* inputs = &tape_.inputs_[tape_.nodes_[node_].first_input];
  return inputs[input] >= 0 && inputs[input] == inputs[other];
}

Destination Gradients::destination(int input) {
  RZ_ASSERT(wanted(input));
  return tape_.destination(tape_.nodes_[static_cast<std::size_t>(
      tape_.inputs_[tape_.nodes_[node_].first_input + static_cast<std::size_t>(input)])]);
}

Destination Tape::destination(Node& node) {
  if (node.store) {
    bool& written = node.store->entries_[static_cast<std::size_t>(node.parameter)].gradient_written;
    const bool before = std::exchange(written, true);
    if (node.first_row < 0) return {parameter_gradient(node), before};
    if (!before) ops::fill((*node.store)[node.parameter].gradient(), 0);  // other rows may get nothing
    return {parameter_gradient(node), true};
  }
  if (!node.gradient.defined()) {
    node.gradient = Tensor(node.shape, node.dtype, node.device);
    return {node.gradient, false};
  }
  if (!node.gradient.unique()) node.gradient = node.gradient.clone();  // handed on by pass(): others may still read it
  return {node.gradient, true};
}

Destination Gradients::accumulator(int input) {
  Destination d = destination(input);
  if (!d.accumulate) ops::fill(d.tensor, 0);
  return {d.tensor, true};
}

void Gradients::pass(int input, const Tensor& gradient) {
  RZ_ASSERT(wanted(input));
  Tape::Node& node = tape_.nodes_[static_cast<std::size_t>(
      tape_.inputs_[tape_.nodes_[node_].first_input + static_cast<std::size_t>(input)])];
  if (node.store || node.gradient.defined()) return ops::add_to(gradient, destination(input));
  node.gradient = gradient.reshape(node.shape);
}

}  // namespace rz
