"""``pombo-exporter decode``: what captured datagrams say, or why they would be refused."""
