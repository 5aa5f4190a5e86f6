"""Pictures of the simulations: data in, geometry or ``plotly`` figure out; nothing here reads files or keeps state.

``theme`` colours, numbers as text, layout · ``norway`` outline and projection · ``layout`` zones on a canvas ·
``network`` arrows and ribbons · ``labels`` where the amounts stand · ``curves`` centre lines ·
``exchange`` the network as figures · ``zones`` the four figures of the zones room ·
``export`` figures as files.
"""
