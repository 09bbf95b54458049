// Tape: the recorded operations in order of execution. A vector, not a graph of shared pointers: the backward pass is a
// loop, nothing recurses, and memory is returned as the loop goes. While a Tape lives, operations on its variables are
// recorded on this thread; without one nothing is.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/variable.h"
#include "core/scalar_functions.h"

namespace rz {

class Tape;

// What an operation is called in messages, and the function that it applies where it has one.
struct OperationName {
  const char* text;
  const Scalar* function = nullptr;
  OperationName(const char* name) : text(name) {}
  OperationName(const char* name, const Scalar* f) : text(name), function(f) {}
};

// Where the vjp rule of one operation puts the gradients of its inputs.
class Gradients {
 public:
  bool wanted(int input) const;           // unwanted gradients need not be computed
  bool same(int input, int other) const;  // one variable given twice: write to its destinations one after the other
  Destination destination(int input);     // memory of the input's shape: overwrite first, accumulate after
  Destination accumulator(int input);  // memory that holds 0 or earlier gradients: for rules that add to some elements
  void pass(int input, const Tensor& gradient);  // hands on a tensor that nobody writes any more (such as d_y itself);
                                                 // any shape with as many elements

 private:
  friend class Tape;
  Gradients(Tape& tape, std::size_t node) : tape_(tape), node_(node) {}
  Tape& tape_;
  std::size_t node_;
};

namespace detail {
struct Rule {  // a vjp closure
  virtual ~Rule() = default;
  virtual void apply(const Tensor& d_y, Gradients& d) = 0;
};
}  // namespace detail

class Tape {
 public:
  Tape();  // Throws: value (this thread has a tape already)
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Variable leaf(const Tensor& value);       // its gradient is wanted: gradient()
  Variable leaf(const Variable& variable);  // the same, keeps tangents

  // Fills the gradients of all leaves and parameters; consumes the tape. d_y: shape of y; without it y has one element
  // and d_y = 1. Parameters that the tape saw but that got no gradient are set to 0. `accumulate` adds to the
  // parameters' gradients (micro-batches).
  void backward(const Variable& y, bool accumulate = false);
  void backward(const Variable& y, const Tensor& d_y, bool accumulate = false);
  Tensor gradient(const Variable& leaf) const;  // after backward; zeros if y does not depend on it
  std::size_t size() const { return nodes_.size(); }

  static Tape* active();  // this thread's, or null

  // Parameters are constants: only leaves get gradients, and ParameterStore::gradients() stays as it is.
  struct LeavesOnly {};
  explicit Tape(LeavesOnly);  // Throws: value (this thread has a tape already)

  // For record() and checkpoint().
  struct Nested {};
  explicit Tape(Nested);                          // inside another tape's backward pass
  std::int32_t node_of(const Variable& v) const;  // -1 for constants.   Throws: value (it belongs to another tape)
  Variable append(const OperationName& name, std::span<const Variable* const> inputs, Tensor value,
                  std::unique_ptr<detail::Rule> rule);
  Variable parameter(const Parameter& parameter);
  Variable parameter_rows(const Parameter& parameter, std::int64_t first, std::int64_t count);

 private:
  friend class Gradients;
  struct Node {
    const char* name = "";
    Shape shape;
    DType dtype = DType::f32;
    Device device;
    std::uint32_t first_input = 0, inputs = 0;  // range of inputs_
    std::unique_ptr<detail::Rule> rule;         // null for leaves
    Tensor gradient;
    ParameterStore* store = nullptr;  // of a parameter leaf
    std::int32_t parameter = -1;
    std::int64_t first_row = -1;  // of a leaf that is some of its rows
  };
  struct Seen {  // a store of which a parameter was used
    ParameterStore* store = nullptr;
    std::size_t first = 0;  // of its parameters in parameter_nodes_
  };
  struct Memory;  // of the vectors below, kept on the thread from tape to tape: a step allocates nothing for them
  void begin(Tape* outer);
  Seen& see(ParameterStore& store);
  void touch(ParameterStore& store);
  void tell_backward(std::size_t index, const Tensor& d_y) const;
  Destination destination(Node& node);
  static Tensor parameter_gradient(const Node& node);
  Tape& root();

  std::vector<Node> nodes_;
  std::vector<std::int32_t> inputs_;
  std::vector<Seen> stores_;
  std::vector<std::int32_t> parameter_nodes_;  // by store, by parameter: its leaf, or -1
  Tape* outer_ = nullptr;
  std::uint32_t serial_;
  bool leaves_only_ = false;
  bool accumulate_ = false;
  bool consumed_ = false;
};

// While it lives on this thread, it is told of every operation that the tape records and of every rule that the
// backward pass applies: for teaching and for tests.
class TapeWatch {
 public:
  TapeWatch();
  virtual ~TapeWatch();
  TapeWatch(const TapeWatch&) = delete;
  TapeWatch& operator=(const TapeWatch&) = delete;
  // Operation `index` of the tape gave y.
  virtual void forward(std::size_t index, const OperationName& name, std::span<const Variable* const> inputs,
                       const Tensor& y) = 0;
  // d_y went in; the gradients of the inputs so far, undefined where none is wanted.
  virtual void backward(std::size_t index, const Tensor& d_y, std::span<const Tensor> d_inputs) = 0;

  static TapeWatch* active();  // this thread's, or null

 private:
  TapeWatch* outer_;
};

// While it lives, nothing is recorded on this thread.
class NoRecording {
 public:
  NoRecording();
  ~NoRecording();
  NoRecording(const NoRecording&) = delete;
  NoRecording& operator=(const NoRecording&) = delete;

 private:
  Tape* suspended_;
};

}  // namespace rz
