#include <stdio.h>
#include <stdlib.h>

typedef enum { SHAPE_RECTANGLE, SHAPE_TRIANGLE } ShapeKind;

typedef struct {
  double width;
  double height;
} Rectangle;

typedef struct {
  double base;
  double height;
} Triangle;

typedef struct {
  ShapeKind kind;
  union {
    Rectangle rectangle;
    Triangle triangle;
  };
} Shape;

static double shape_area(const Shape *shape) {
  switch (shape->kind) {
    case SHAPE_RECTANGLE:
      return shape->rectangle.width * shape->rectangle.height;
    case SHAPE_TRIANGLE:
      return shape->triangle.base * shape->triangle.height / 2;
  }
  abort();
}

static const char *shape_name(const Shape *shape) {
  switch (shape->kind) {
    case SHAPE_RECTANGLE:
      return "rectangle";
    case SHAPE_TRIANGLE:
      return "triangle";
  }
  abort();
}

int main(void) {
  const Shape shapes[] = {
      {.kind = SHAPE_RECTANGLE, .rectangle = {3, 4}},
      {.kind = SHAPE_TRIANGLE, .triangle = {5, 3}},
      {.kind = SHAPE_RECTANGLE, .rectangle = {2, 2}},
  };
  double total = 0;
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    printf("%s: %.2f\n", shape_name(&shapes[i]), shape_area(&shapes[i]));
    total += shape_area(&shapes[i]);
  }
  printf("total: %.2f\n", total);
  return 0;
}
