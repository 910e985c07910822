"""What tests of a whole box do to its scene, and look for in it."""

from host.demo.scene import Scene


def plug(scene: Scene) -> None:
    """A car comes and wants power."""
    scene.world.car.plug()
    scene.world.car.request_power()


def charging(scene: Scene) -> bool:
    return scene.world.contactor.closed and scene.world.car.power_w > 0
