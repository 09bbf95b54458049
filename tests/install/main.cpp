#include <rezero/autograd/ops.h>
#include <rezero/autograd/tape.h>
#include <rezero/data/datasets.h>
#include <rezero/data/loader.h>
#include <rezero/nn/models/fully_connected.h>
#include <rezero/optim/optimizer.h>

#include <cstdio>

int main() {
  const rz::DataSplits data = rz::load_dataset({.name = "shapes"});
  rz::nn::FullyConnected net({.depth = 128, .width = 64, .residual = {.form = rz::nn::Form::rezero}});
  net.parameters().build(/*seed=*/1);
  const auto optimizer = rz::optim::Optimizer::create({.name = "adagrad", .learning_rate = 0.01});
  rz::Loader loader(data.train, {.batch_size = 100});
  rz::StepState state;
  rz::Batch batch;
  int step = 0;
  for (loader.start(/*epoch=*/0); loader.next(batch);) {
    rz::Tape tape;
    const rz::Variable loss = rz::softmax_cross_entropy(net(batch.inputs), batch.labels);
    tape.backward(loss);
    state.set(++step, optimizer->learning_rate());
    optimizer->step(net.parameters(), state);
    if (step % 50 == 0) std::printf("step %3d  loss %.3f\n", step, loss.item());
  }
}
