#include <iostream>
#include <stdexcept>
#include <string>

enum class Light { RED, GREEN, YELLOW };

std::string light_name(Light light) {
  switch (light) {
    case Light::RED:
      return "red";
    case Light::GREEN:
      return "green";
    case Light::YELLOW:
      return "yellow";
  }
  throw std::invalid_argument("unknown light");
}

Light next_light(Light light) {
  switch (light) {
    case Light::RED:
      return Light::GREEN;
    case Light::GREEN:
      return Light::YELLOW;
    case Light::YELLOW:
      return Light::RED;
  }
  throw std::invalid_argument("unknown light");
}

int seconds(Light light) {
  switch (light) {
    case Light::RED:
      return 30;
    case Light::GREEN:
      return 25;
    case Light::YELLOW:
      return 5;
  }
  throw std::invalid_argument("unknown light");
}

int main() {
  Light light = Light::RED;
  int elapsed = 0;
  do {
    std::cout << "second " << elapsed << ": " << light_name(light) << '\n';
    elapsed += seconds(light);
    light = next_light(light);
  } while (elapsed <= 120);
}
