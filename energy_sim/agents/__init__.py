"""The agents room: homes and batteries as servers of their own, and a grid agent that coordinates them."""
